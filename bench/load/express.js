const express = require('express')

const app = express()

const who = { pid: process.pid, build: process.env.BUILD || '' }

app.get('/', (request, response) => response.json(who))

// Answers when the given number of milliseconds has passed.
app.get('/slow/:ms', (request, response) => setTimeout(() => response.json(who), Number(request.params.ms)))

// Does nothing else for the given number of milliseconds.
app.get('/busy/:ms', (request, response) => {
  const end = Date.now() + Number(request.params.ms)
  while (Date.now() < end);
  response.json(who)
})

app.listen(Number(process.env.PORT))
