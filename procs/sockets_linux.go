package procs

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
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
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if err := diagnoseSockets(family, sockets); err != nil {
			return socketsFromTables()
		}
	}
	return sockets
}

// diagnoseSockets asks by the sock_diag protocol of netlink(7).
func diagnoseSockets(family uint8, sockets map[string]view.Address) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	const listen, byFamily, requestSize = 10, 20, 16 + 56
	request := make([]byte, requestSize) // struct nlmsghdr, struct inet_diag_req_v2
	binary.NativeEndian.PutUint32(request[0:], requestSize)
	binary.NativeEndian.PutUint16(request[4:], byFamily)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	request[16], request[17] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(request[20:], 1<<listen)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buf := make([]byte, 32<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
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
			case m.Header.Type != byFamily || len(m.Data) < 72: // struct inet_diag_msg
				return errors.New("the kernel does not answer about its sockets")
			}
			address := m.Data[8:12]
			if family == unix.AF_INET6 {
				address = m.Data[8:24]
			}
			ip, _ := netip.AddrFromSlice(address)
			inode := strconv.FormatUint(uint64(binary.NativeEndian.Uint32(m.Data[68:])), 10)
			sockets[inode] = view.Address{Host: ip.Unmap().String(), Port: int(binary.BigEndian.Uint16(m.Data[4:]))}
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
			const listen = "0A"
			if len(fields) < 10 || fields[3] != listen {
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
