const cluster = require('cluster')
const http = require('http')

if (cluster.isPrimary) {
  for (let i = 0; i < 2; i++) cluster.fork()
  process.on('SIGINT', () => cluster.disconnect(() => process.exit(0)))
} else {
  process.on('SIGINT', () => {}) // a terminal sends it to all; the primary decides
  http.createServer((request, response) => response.end(JSON.stringify({ pid: process.pid }))).listen(process.env.PORT)
}
