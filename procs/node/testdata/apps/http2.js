const http2 = require('http2')

const server = http2.createServer()

server.on('stream', (stream) => {
  stream.respond({ ':status': 200, 'content-type': 'application/json' })
  stream.end(JSON.stringify({ pid: process.pid }))
})

server.listen(process.env.PORT)
