// Package api is the contract between a running stack and everything that looks at it: the command line, the
// dashboards and the tests. It holds the request, answer and event types and the Client, and imports the standard
// library and view only, so that a command costs no more than a socket and some JSON.
//
// Transport: HTTP/JSON over the unix socket ctl.sock in the project's state directory; to a `devstackd once`, over a socket that
// it inherits. Reads are plain GETs. Actions
// are POSTs answered by a stream of newline-delimited Events whose last one has Kind "result". Shapes only grow:
// fields are added, never renamed or removed. All keys are always present: null where nothing applies, lists never null.
package api

// Version is the daemon API's version; it is the first element of every path.
const Version = "v1"
