package pilot

import "os"

// Facts are what Observe saw of a machine, as far as a stack's Wanted asks.
type Facts struct {
	Systemd   bool              // it is PID 1
	Apt       bool              // packages can be had with apt-get
	Lists     bool              // ... and it knows which there are
	Packages  map[string]string // name -> version that apt-get would install; none: absent
	Node      string            // v20.1.0; empty: not found
	Engine    bool              // a Docker Engine is installed, or answers
	Socket    bool              // its socket is there
	Redis     bool              // redis-server or valkey-server
	Postgres  bool
	User      *Account            // nil: there is none
	Dirs      map[string]Dir      // of those asked for, what exists
	Files     map[string]string   // path -> text of units and of configuration, of those that exist
	Same      bool                // the installed executables are those that run now
	Units     map[string]UnitFact // by name
	Forbidden string              // the first directory or file, on the way to what is run and read, that the user may not read
}

// Account is a user of the machine.
type Account struct {
	UID, GID int
	Home     string
}

// Dir is a directory's owner and permissions.
type Dir struct {
	UID  int
	Mode os.FileMode
	Link bool // a symlink is on the way to it
}

// UnitFact is what systemd says of a unit.
type UnitFact struct {
	Enabled bool
	Active  string // active, activating, inactive, failed, ...
	Reload  bool   // its file has changed since it was read
}
