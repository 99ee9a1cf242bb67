// It serves nobody.
const { DIE = 0 } = process.env
if (+DIE) setTimeout(() => process.exit(1), +DIE)
setInterval(() => {}, 1000)
