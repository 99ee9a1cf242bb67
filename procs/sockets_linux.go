package procs

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"devstack/view"
)

// listeningSockets returns all TCP sockets that listen, by inode. Where the kernel cannot be asked for them alone, it
// reads the table of all connections, which takes milliseconds.
func listeningSockets() map[string]view.Address {
	sockets := map[string]view.Address{}
	// The older of the two requests: it asks for both families at once, so the kernel walks its table once.
	const request, size = 18, 60 // TCPDIAG_GETSOCK, struct inet_diag_req
	body := make([]byte, size)
	binary.NativeEndian.PutUint32(body[52:], 1<<stateListen)
	var k kernel
	defer k.close()
	if err := k.diagnose(request, unix.NLM_F_DUMP, body, func(inode string, at view.Address) { sockets[inode] = at }); err != nil {
		return socketsFromTables()
	}
	return sockets
}

// kernel is a connection to the kernel's own account of its sockets, by the sock_diag protocol of netlink(7). The zero value is
// closed, and opens when it is asked.
type kernel struct{ fd int }

func (k *kernel) open() (err error) {
	if k.fd == 0 {
		k.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	}
	if err != nil {
		k.fd = 0
	}
	return err
}

func (k *kernel) close() {
	if k.fd != 0 {
		unix.Close(k.fd)
		k.fd = 0
	}
}

// listenerOn is the inode of the socket that a connection to a port of this host would reach; empty: there is none. A socket
// that is bound to one outer address only is not found.
func (k *kernel) listenerOn(port int) (inode string) {
	const request, size = 20, 56 // SOCK_DIAG_BY_FAMILY, struct inet_diag_req_v2
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		body := make([]byte, size)
		body[0], body[1] = family, unix.IPPROTO_TCP
		binary.BigEndian.PutUint16(body[8:], uint16(port)) // of struct inet_diag_sockid: source port, then source address
		copy(body[12:], netip.MustParseAddr("127.0.0.1").AsSlice())
		if family == unix.AF_INET6 {
			copy(body[12:], netip.IPv6Loopback().AsSlice())
		}
		binary.NativeEndian.PutUint64(body[48:], math.MaxUint64) // any cookie
		err := k.diagnose(request, 0, body, func(found string, _ view.Address) { inode = found })
		switch {
		case inode != "":
			return inode
		case err != nil && !errors.Is(err, unix.ENOENT):
			for inode, at := range socketsFromTables() {
				if at.Port == port {
					return inode
				}
			}
			return ""
		}
	}
	return ""
}

// stateListen is the kernel's number of the state.
const stateListen = 10

// diagnose asks about TCP sockets, and gives each answer to found.
func (k *kernel) diagnose(request, flags uint16, body []byte, found func(inode string, at view.Address)) error {
	if err := k.open(); err != nil {
		return err
	}
	message := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(body))
	binary.NativeEndian.PutUint32(message[0:], uint32(cap(message)))
	binary.NativeEndian.PutUint16(message[4:], request)
	binary.NativeEndian.PutUint16(message[6:], unix.NLM_F_REQUEST|flags)
	if err := unix.Sendto(k.fd, append(message, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	size := 512 // one answer
	if flags&unix.NLM_F_DUMP != 0 {
		size = 16 << 10 // what the kernel packs together
	}
	buf := make([]byte, size)
	for {
		n, _, err := unix.Recvfrom(k.fd, buf, 0)
		if err != nil {
			return err
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return err
		}
		for _, m := range messages {
			switch {
			case m.Header.Type == unix.NLMSG_DONE:
				return nil
			case m.Header.Type == unix.NLMSG_ERROR && len(m.Data) >= 4:
				return syscall.Errno(-int32(binary.NativeEndian.Uint32(m.Data)))
			case m.Header.Type != request || len(m.Data) < 72: // struct inet_diag_msg
				return errors.New("the kernel does not answer about its sockets")
			}
			address := m.Data[8:24]
			if m.Data[0] == unix.AF_INET {
				address = m.Data[8:12]
			}
			ip, _ := netip.AddrFromSlice(address)
			inode := strconv.FormatUint(uint64(binary.NativeEndian.Uint32(m.Data[68:])), 10)
			found(inode, view.Address{Host: ip.Unmap().String(), Port: int(binary.BigEndian.Uint16(m.Data[4:]))})
			if flags == 0 {
				return nil
			}
		}
	}
}

// socketsFromTables reads /proc/net/tcp and tcp6.
func socketsFromTables() map[string]view.Address {
	sockets := map[string]view.Address{}
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		file, err := os.Open(path)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != fmt.Sprintf("%02X", stateListen) {
				continue
			}
			if port, ok := parseSocketAddress(fields[1]); ok {
				sockets[fields[9]] = port
			}
		}
		file.Close()
	}
	return sockets
}

// parseSocketAddress reads 0100007F:0BB8: 32-bit words in the host's (little-endian) order, then the port.
func parseSocketAddress(s string) (view.Address, bool) {
	address, portText, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(address)
	port, portErr := strconv.ParseUint(portText, 16, 16)
	if err != nil || portErr != nil || len(raw)%4 != 0 {
		return view.Address{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	ip, ok := netip.AddrFromSlice(raw)
	return view.Address{Host: ip.Unmap().String(), Port: int(port)}, ok
}
