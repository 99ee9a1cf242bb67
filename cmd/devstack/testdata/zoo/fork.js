// A launcher: what it starts serves, and it ends when that does.
require('child_process').fork(`${__dirname}/http.js`).on('exit', code => process.exit(code))
