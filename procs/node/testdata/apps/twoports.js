const http = require('http')

const answer = (request, response) => response.end(JSON.stringify({ pid: process.pid }))

http.createServer(answer).listen(process.env.PORT)
http.createServer(answer).listen(process.env.ADMIN_PORT, '127.0.0.1')
