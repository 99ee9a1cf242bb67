// Package monit is the terminal dashboard: containers and processes in one table, the output of the selected one beside
// it (below it where the terminal is narrow), and their control from the keyboard.
//
// It sees a stack only through daemon/api. Update and View do no I/O: commands ask the daemon and hand its answers to
// Update as messages. It outlives the daemon: while none answers it goes on showing the last state, says so and since
// when, and asks again with a growing pause of 0.5 s to 5 s.
//
// Limits: it needs 80×24 characters, below that it says so; it keeps the newest 2000 lines of the selected row, of each
// the first 4096 characters. The mouse stays with the terminal, so that text is selected and copied as anywhere else.
package monit
