// A server that listens BOOT ms after its start, and gives up DIE ms after it; 0: never. LISTEN is a port beside PORT.
const { PORT, LISTEN = PORT, BOOT = 0, DIE = 0 } = process.env
if (+DIE) setTimeout(() => { console.error('http.js cannot go on'); process.exit(1) }, +DIE)
setTimeout(() => require('http').createServer((request, response) => response.end('ok')).listen(+LISTEN), +BOOT)
