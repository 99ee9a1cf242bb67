import { createServer } from 'node:http'
const { PORT, LISTEN = PORT, BOOT = '0', DIE = '0' }: NodeJS.ProcessEnv = process.env
if (+DIE) setTimeout(() => process.exit(1), +DIE)
setTimeout(() => createServer((_, response) => response.end('ok')).listen(+LISTEN!), +BOOT)
