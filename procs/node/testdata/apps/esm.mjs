import { createServer } from 'node:http'

const server = createServer((request, response) => {
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ pid: process.pid }))
})

await new Promise((resolve) => server.listen({ port: Number(process.env.PORT), host: '0.0.0.0' }, resolve))
