// The load of the dtls benchmark, on pion: devices with a pre-shared key make handshakes, or requests over sessions that
// they keep. Each has one thing outstanding. Tells "ready" after the warm-up, waits for a line on standard input, measures, and
// tells what came of it as JSON.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
)

var address *net.UDPAddr
var done, failed atomic.Int64

// A Confirmable GET of /time under this message id; its answer begins with 0x60 and the same id.
func ask(session *dtls.Conn, id uint16) error {
	request := []byte{0x40, 0x01, byte(id >> 8), byte(id), 0xb4, 't', 'i', 'm', 'e'}
	if _, err := session.Write(request); err != nil {
		return err
	}
	buffer := make([]byte, 1500)
	for {
		if err := session.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		n, err := session.Read(buffer)
		if err != nil {
			return err
		}
		if n > 4 && bytes.Equal(buffer[2:4], request[2:4]) && buffer[1] == 0x45 {
			return nil
		}
	}
}

func open(device int) (*dtls.Conn, *net.UDPConn, error) {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, nil, err
	}
	config := &dtls.Config{
		PSK:                   func([]byte) ([]byte, error) { return []byte("0123456789abcdef"), nil },
		PSKIdentityHint:       []byte(fmt.Sprintf("device-%d", device)),
		CipherSuites:          []dtls.CipherSuiteID{dtls.TLS_PSK_WITH_AES_128_CCM_8},
		ConnectionIDGenerator: dtls.OnlySendCIDGenerator(),
	}
	session, err := dtls.Client(socket, address, config)
	if err != nil {
		socket.Close()
		return nil, nil, err
	}
	if err = session.Handshake(); err != nil {
		session.Close()
		return nil, nil, err
	}
	return session, socket, nil
}

// One handshake, with a request to show that both ends have keys, and no goodbye: as a device that starts again.
func handshake(device int) error {
	session, _, err := open(device)
	if err != nil {
		return err
	}
	defer session.Close()
	return ask(session, 1)
}

// A session of which nothing more is heard: its socket goes first, so that there is no goodbye.
func leave(device int) error {
	session, socket, err := open(device)
	if err != nil {
		return err
	}
	socket.Close()
	session.Close()
	return nil
}

// As many sessions as there are devices, some at a time.
func leaveAll(devices int) {
	var all sync.WaitGroup
	var next atomic.Int64
	for worker := 0; worker < 20; worker++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for device := next.Add(1) - 1; device < int64(devices); device = next.Add(1) - 1 {
				if err := leave(int(device)); err != nil {
					failed.Add(1)
				} else {
					done.Add(1)
				}
			}
		}()
	}
	all.Wait()
}

func run(devices int, until time.Time, step func(device int, turn uint16) error) {
	var all sync.WaitGroup
	for device := 0; device < devices; device++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for turn := uint16(1); time.Now().Before(until); turn++ {
				if err := step(device, turn); err != nil {
					failed.Add(1)
				} else {
					done.Add(1)
				}
			}
		}()
	}
	all.Wait()
}

func main() {
	port := flag.Int("port", 0, "of the server, on 127.0.0.1")
	kind := flag.String("kind", "handshakes", "handshakes, requests, or sessions that are left open")
	devices := flag.Int("devices", 20, "how many at once")
	warmup := flag.Float64("warmup", 30, "seconds")
	seconds := flag.Float64("seconds", 5, "seconds")
	flag.Parse()
	address = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: *port}

	if *kind == "sessions" {
		fmt.Println("ready")
		bufio.NewReader(os.Stdin).ReadString('\n')
		leaveAll(*devices)
		json.NewEncoder(os.Stdout).Encode(map[string]float64{"done": float64(done.Load()), "failed": float64(failed.Load())})
		return
	}
	step := func(device int, _ uint16) error { return handshake(device) }
	if *kind == "requests" {
		sessions := make([]*dtls.Conn, *devices)
		for device := range sessions {
			session, _, err := open(device)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			sessions[device] = session
		}
		step = func(device int, turn uint16) error { return ask(sessions[device], turn) }
	}
	run(*devices, time.Now().Add(time.Duration(*warmup*1e9)), step)
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
	done.Store(0)
	failed.Store(0)
	start := time.Now()
	run(*devices, start.Add(time.Duration(*seconds*1e9)), step)
	json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"done": float64(done.Load()), "failed": float64(failed.Load()), "seconds": time.Since(start).Seconds(),
	})
}
