// memberlist_peer runs members of a hashicorp/memberlist cluster and says on stdout what they see,
// so that the mesh can be measured beside memberlist by the same definitions.
//
//	memberlist_peer -name edge-2 -bind 127.0.1.2 -join 127.0.1.1 [-key HEX]
//	memberlist_peer -members 64                  all in one process, each on its own address
//
// A line is "SECONDS OBSERVER EVENT MEMBER", where EVENT is alive, gone or update; SECONDS is Unix
// time. SIGUSR1: the member (of many, the one in the middle) changes its meta data, which memberlist
// broadcasts. SIGUSR2, with -members: the last one falls silent without a good-bye.
//
// Built from Debian's golang-github-hashicorp-memberlist-dev; nothing of it is copied here.
package main

import (
	"bufio"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	port          = 7946
	joinRetry     = 100 * time.Millisecond
	updateTimeout = 30 * time.Second
)

// report writes one line per event at once: the time stamp is taken where the event happens.
type report struct {
	mutex sync.Mutex
	out   *bufio.Writer
}

func (r *report) say(observer, event, member string) {
	at := time.Now()
	r.mutex.Lock()
	defer r.mutex.Unlock()
	fmt.Fprintf(r.out, "%d.%06d %s %s %s\n", at.Unix(), at.Nanosecond()/1000, observer, event, member)
	r.out.Flush()
}

// observer is one member's view: memberlist calls it with what changed.
type observer struct {
	name string
	to   *report

	mutex sync.Mutex
	meta  uint32
}

func (o *observer) NotifyJoin(node *memberlist.Node)   { o.to.say(o.name, "alive", node.Name) }
func (o *observer) NotifyLeave(node *memberlist.Node)  { o.to.say(o.name, "gone", node.Name) }
func (o *observer) NotifyUpdate(node *memberlist.Node) { o.to.say(o.name, "update", node.Name) }

func (o *observer) NodeMeta(int) []byte {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return []byte(fmt.Sprintf("%08x", o.meta))
}

func (o *observer) NotifyMsg([]byte)                {}
func (o *observer) GetBroadcasts(int, int) [][]byte { return nil }
func (o *observer) LocalState(bool) []byte          { return nil }
func (o *observer) MergeRemoteState([]byte, bool)   {}

type member struct {
	*memberlist.Memberlist
	view *observer
}

func start(name, bind string, key []byte, to *report) (*member, error) {
	view := &observer{name: name, to: to}
	config := memberlist.DefaultLANConfig()
	config.Name = name
	config.BindAddr, config.BindPort = bind, port
	config.AdvertiseAddr, config.AdvertisePort = bind, port
	config.SecretKey = key
	config.Events, config.Delegate = view, view
	config.Logger = log.New(io.Discard, "", 0)
	list, err := memberlist.Create(config)
	if err != nil {
		return nil, err
	}
	return &member{list, view}, nil
}

// join tries until the first member answers: it may not have started yet.
func (m *member) join(first string) {
	for {
		if count, err := m.Join([]string{first}); err == nil && count > 0 {
			return
		}
		time.Sleep(joinRetry)
	}
}

func (m *member) update() {
	m.view.mutex.Lock()
	m.view.meta++
	m.view.mutex.Unlock()
	if err := m.UpdateNode(updateTimeout); err != nil {
		fmt.Fprintln(os.Stderr, "memberlist_peer: update:", err)
	}
}

func address(number int) string { return fmt.Sprintf("127.0.%d.%d", 1+number/250, 1+number%250) }

func main() {
	name := flag.String("name", "", "this member's name")
	bind := flag.String("bind", "", "its address")
	first := flag.String("join", "", "address of a member to join; empty = the first one")
	hexKey := flag.String("key", "", "16, 24 or 32 bytes: encrypt with AES-GCM")
	count := flag.Int("members", 1, "members in this process; above 1 sets names and addresses")
	flag.Parse()
	key, err := hex.DecodeString(*hexKey)
	fail(err)

	to := &report{out: bufio.NewWriter(os.Stdout)}
	var members []*member
	if *count == 1 {
		one, err := start(*name, *bind, key, to)
		fail(err)
		members = append(members, one)
		if *first != "" {
			go one.join(*first)
		}
	} else {
		for i := 0; i < *count; i++ {
			one, err := start(fmt.Sprintf("edge-%d", i+1), address(i), key, to)
			fail(err)
			members = append(members, one)
			if i > 0 {
				go one.join(address(0))
			}
		}
	}

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	for each := range signals {
		switch each {
		case syscall.SIGUSR1:
			go members[len(members)/2].update()
		case syscall.SIGUSR2:
			if last := len(members) - 1; last > 0 {
				_ = members[last].Shutdown()
				members = members[:last]
			}
		}
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "memberlist_peer:", err)
		os.Exit(1)
	}
}
