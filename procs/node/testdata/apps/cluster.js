const cluster = require('cluster')
const http = require('http')

if (cluster.isPrimary) {
  for (let i = 0; i < 2; i++) cluster.fork()
  process.on('SIGTERM', () => cluster.disconnect(() => process.exit(0)))
} else {
  process.on('SIGTERM', () => {}) // sent to all of them; the primary decides
  http.createServer((request, response) => response.end(JSON.stringify({ pid: process.pid }))).listen(process.env.PORT)
}
