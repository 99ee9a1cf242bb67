import { createRequire } from 'node:module'
const { PORT, LISTEN = PORT, BOOT = 0, DIE = 0, PACKAGES } = process.env
const fastify = createRequire(`${PACKAGES}/`)(`${PACKAGES}/fastify`)
if (+DIE) setTimeout(() => process.exit(1), +DIE)
setTimeout(() => fastify().get('/', () => 'ok').listen({ port: +LISTEN }), +BOOT)
