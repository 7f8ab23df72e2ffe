// A DTLS client on pion for the interop suite. Commands on standard input, one a line: "say TEXT" sends, "move" goes on from
// another local port, "stop" ends. What happens is told on standard output, one JSON object a line.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
)

var suites = map[string]dtls.CipherSuiteID{
	"ccm8": dtls.TLS_PSK_WITH_AES_128_CCM_8,
	"ccm":  dtls.TLS_PSK_WITH_AES_128_CCM,
	"gcm":  dtls.TLS_PSK_WITH_AES_128_GCM_SHA256,
	"cbc":  dtls.TLS_PSK_WITH_AES_128_CBC_SHA256,
}

// movable is a UDP socket that can be exchanged for another one while it is in use.
type movable struct {
	mutex   sync.Mutex
	current *net.UDPConn
	closed  bool
}

func listen() (*net.UDPConn, error) {
	return net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
}

func (m *movable) get() *net.UDPConn {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.current
}

func (m *movable) move() error {
	next, err := listen()
	if err != nil {
		return err
	}
	m.mutex.Lock()
	old := m.current
	m.current = next
	m.mutex.Unlock()
	return old.Close()
}

func (m *movable) ReadFrom(buffer []byte) (int, net.Addr, error) {
	for {
		conn := m.get()
		n, from, err := conn.ReadFrom(buffer)
		m.mutex.Lock()
		moved := err != nil && !m.closed && conn != m.current
		m.mutex.Unlock()
		if !moved {
			return n, from, err
		}
	}
}

func (m *movable) WriteTo(data []byte, to net.Addr) (int, error) { return m.get().WriteTo(data, to) }
func (m *movable) LocalAddr() net.Addr                           { return m.get().LocalAddr() }
func (m *movable) SetDeadline(t time.Time) error                 { return m.get().SetDeadline(t) }
func (m *movable) SetReadDeadline(t time.Time) error             { return m.get().SetReadDeadline(t) }
func (m *movable) SetWriteDeadline(t time.Time) error            { return m.get().SetWriteDeadline(t) }
func (m *movable) Close() error {
	m.mutex.Lock()
	m.closed = true
	m.mutex.Unlock()
	return m.get().Close()
}

func tell(event string, value any) {
	line, _ := json.Marshal(map[string]any{"event": event, "value": value})
	fmt.Println(string(line))
}

func check(err error) {
	if err != nil {
		tell("error", err.Error())
		os.Exit(1)
	}
}

func main() {
	server := flag.String("server", "", "host:port")
	identity := flag.String("identity", "", "PSK identity")
	key := flag.String("key", "", "PSK in hex")
	suite := flag.String("suite", "ccm8", "ccm8, ccm, gcm or cbc")
	cid := flag.Int("cid", -1, "-1: no connection IDs; 0: only the server's; else the length of ours")
	mtu := flag.Int("mtu", 1200, "largest datagram")
	flag.Parse()

	psk, err := hex.DecodeString(*key)
	check(err)
	address, err := net.ResolveUDPAddr("udp4", *server)
	check(err)
	socket, err := listen()
	check(err)
	conn := &movable{current: socket}

	config := &dtls.Config{
		PSK:             func([]byte) ([]byte, error) { return psk, nil },
		PSKIdentityHint: []byte(*identity),
		CipherSuites:    []dtls.CipherSuiteID{suites[*suite]},
		MTU:             *mtu,
	}
	switch {
	case *cid == 0:
		config.ConnectionIDGenerator = dtls.OnlySendCIDGenerator()
	case *cid > 0:
		config.ConnectionIDGenerator = dtls.RandomCIDGenerator(*cid)
	}
	session, err := dtls.Client(conn, address, config)
	check(err)
	check(session.Handshake())
	tell("connected", conn.LocalAddr().(*net.UDPAddr).Port)

	var stopping atomic.Bool
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := session.Read(buffer)
			if stopping.Load() {
				// The goodbye is still to be sent.
				return
			}
			if err != nil {
				tell("closed", err.Error())
				os.Exit(0)
			}
			tell("got", string(buffer[:n]))
		}
	}()

	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		command, text, _ := strings.Cut(lines.Text(), " ")
		switch command {
		case "say":
			_, err := session.Write([]byte(text))
			check(err)
		case "move":
			check(conn.move())
			tell("moved", conn.LocalAddr().(*net.UDPAddr).Port)
		case "stop":
			stopping.Store(true)
			check(session.Close())
			tell("stopped", nil)
			return
		}
	}
}
