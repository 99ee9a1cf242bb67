const { PORT, LISTEN = PORT, BOOT = 0, DIE = 0, PACKAGES } = process.env
const express = require(`${PACKAGES}/express`)
if (+DIE) setTimeout(() => { throw new Error('express.js cannot go on') }, +DIE)
setTimeout(() => express().get('/', (request, response) => response.send('ok')).listen(+LISTEN, '127.0.0.1'), +BOOT)
