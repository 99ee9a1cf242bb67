const http = require('http')

const server = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ pid: process.pid }))
})

server.listen(process.env.PORT)
