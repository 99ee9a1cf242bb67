// Package daemon is the brain of a running stack: it owns the intent, drives containers and processes towards
// it and answers the API. It promises that killing it costs nothing: what runs goes on running, its successor learns
// from the keeper what is wanted and what is there, counts what ended meanwhile once, and goes on: what a command has answered
// holds. It never writes a
// variable's value to disk; environments survive it in the keeper's memory only, so they are gone with the keeper.
package daemon
