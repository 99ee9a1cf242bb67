import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

function answer(_request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ pid: process.pid }))
}

createServer(answer).listen(Number(process.env.PORT), 'localhost')
