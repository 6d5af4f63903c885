//go:build linux

package salt

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// needles are forms of keys, hidden under a mask: who searches memory for them must not put them there.
type needles struct {
	mask  uint64
	forms []needle
	hits  []int
	rough [1 << 10]uint64 // a bit for the low 16 bits of every form's first word, masked
	where map[string]int  // mapping to hits
}

// needle is 8 bytes, or 16, as little-endian words.
type needle struct {
	a, b uint64
	long bool
}

// formsPerKey is how many forms add makes: two halves in two byte orders; the four of them in hex, upper and lower; and 16 bytes in base64, in both
// orders, at three offsets, in two alphabets.
const formsPerKey = 4 + 8 + 12

func newNeedles(keys int) *needles {
	return &needles{mask: rand.Uint64(), forms: make([]needle, 0, keys*formsPerKey), hits: make([]int, keys*formsPerKey), where: map[string]int{}}
}

// add is called by erasing, and allocates nothing.
func (n *needles) add(key *[16]byte) {
	var turned [16]byte
	for i, b := range key {
		turned[15-i] = b
	}
	for _, form := range [2]*[16]byte{key, &turned} {
		for half := range 2 {
			var text [16]byte
			part := form[8*half : 8*half+8]
			n.forms = append(n.forms, needle{a: binary.LittleEndian.Uint64(part) ^ n.mask})
			hex.Encode(text[:], part)
			n.long(text[:])
			for i, c := range text {
				if c >= 'a' {
					text[i] = c - 'a' + 'A'
				}
			}
			n.long(text[:])
		}
		for offset := range 3 {
			var padded [18]byte
			copy(padded[offset:], form[:])
			for _, alphabet := range [2]*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				var text [24]byte
				alphabet.Encode(text[:], padded[:])
				n.long(text[4:20]) // all of it made of the key alone
			}
		}
	}
	for i := range n.forms {
		low := n.forms[i].a & 0xffff
		n.rough[low/64] |= 1 << (low % 64)
	}
}

func (n *needles) long(text []byte) {
	n.forms = append(n.forms, needle{binary.LittleEndian.Uint64(text) ^ n.mask, binary.LittleEndian.Uint64(text[8:16]) ^ n.mask, true})
}

// spell writes every form to dst, as it would look in memory.
func (n *needles) spell(dst []byte) {
	for i, form := range n.forms {
		binary.LittleEndian.PutUint64(dst[32*i+1:], form.a^n.mask)
		if form.long {
			binary.LittleEndian.PutUint64(dst[32*i+9:], form.b^n.mask)
		}
	}
}

// in counts hits in b, whose last 16 bytes are looked at only as the end of what begins before. It allocates nothing.
func (n *needles) in(b []byte) (hits int) {
	for i := 0; i+16 <= len(b); i++ {
		a := binary.LittleEndian.Uint64(b[i:]) ^ n.mask
		if n.rough[a&0xffff/64]>>(a%64)&1 == 0 {
			continue
		}
		for j := range n.forms {
			form := &n.forms[j]
			if form.a == a && (!form.long || form.b == binary.LittleEndian.Uint64(b[i+8:])^n.mask) {
				n.hits[j]++
				hits++
			}
		}
	}
	return hits
}

// searchProcess looks through all memory that this process can read.
func (n *needles) searchProcess() (read int64, err error) {
	clear(n.hits)
	clear(n.where)
	mem, err := unix.Open("/proc/self/mem", unix.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(mem) }()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, err
	}
	const chunk = 1 << 20
	buf, err := unix.Mmap(-1, 0, chunk, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Munmap(buf) }()
	own := uintptr(unsafe.Pointer(&buf[0]))
	lines := bufio.NewScanner(strings.NewReader(string(maps)))
	for lines.Scan() {
		var from, to uintptr
		var rights string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &rights); err != nil {
			return 0, err
		}
		if !strings.HasPrefix(rights, "r") {
			continue
		}
		for at := from; at < to; at += chunk - 16 {
			size := min(chunk, to-at)
			if at <= own && own < at+size && size > own-at {
				size = own - at // what was read is no place of its own; mappings that lie side by side are one line
			}
			if at >= own && at < own+chunk {
				continue
			}
			var hits, got int
			erasing(func() {
				got, _ = unix.Pread(mem, buf[:size], int64(at))
				if got > 0 {
					hits = n.in(buf[:got])
				}
				clear(buf)
			})
			read += int64(max(got, 0))
			if hits > 0 {
				n.where[lines.Text()] += hits
			}
		}
	}
	return read, lines.Err()
}

// found says which forms were found.
func (n *needles) found() (forms int) {
	for _, hits := range n.hits {
		if hits > 0 {
			forms++
		}
	}
	return forms
}

// sound shows that every form is found when it is there.
func (n *needles) sound() error {
	plant, err := unix.Mmap(-1, 0, 1<<16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	erasing(func() { n.spell(plant) })
	_, err = n.searchProcess()
	clear(plant)
	if n.found() != len(n.forms) {
		err = errors.Join(err, fmt.Errorf("only %d of %d forms are found where they are", n.found(), len(n.forms)))
	}
	return errors.Join(err, unix.Munmap(plant))
}

// gone says where keys are found that should be nowhere. Without erasing, only the page can be promised.
func (n *needles) gone(p *page, file string) error {
	time.Sleep(50 * time.Millisecond) // signals that wipe the signal stacks are on their way
	read, err := n.searchProcess()
	if err != nil {
		return err
	}
	fmt.Printf("searched %d MiB; left in %d places\n", read>>20, len(n.where))
	if Erasing && len(n.where) > 0 {
		return fmt.Errorf("a key that was destroyed is in memory: %v", n.where)
	}
	if p.memory != nil && n.in(slices.Concat(p.memory, make([]byte, 16))) > 0 {
		return errors.New("a key that was destroyed is in the page")
	}
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if n.in(append(b, make([]byte, 16)...)) > 0 {
		return errors.New("a key that was destroyed is in the file")
	}
	return nil
}

// load makes numbers from several goroutines, with signals between, until stop is called. The goroutines stay, so that nothing else uses their stacks.
func load(k numberer, clock *fakeClock, zones ...*time.Location) (stop func()) {
	var workers, signals sync.WaitGroup
	done, calm := make(chan struct{}), make(chan struct{})
	for g := range 4 {
		workers.Add(1)
		go func() {
			for {
				select {
				case <-done:
					workers.Done()
					select {}
				default:
					deep(8, func() { _, _, _ = k.Number(1, zones[g%len(zones)], clock.Now(), home, agent) })
				}
			}
		}()
	}
	signals.Go(func() {
		for {
			select {
			case <-calm:
				return
			default:
				threads, _ := os.ReadDir("/proc/self/task")
				for _, thread := range threads {
					id, _ := strconv.Atoi(thread.Name())
					_ = unix.Tgkill(os.Getpid(), id, unix.SIGURG) // a signal while a key is in a register is written to a stack
				}
				time.Sleep(100 * time.Microsecond)
			}
		}
	})
	return func() {
		close(calm)
		signals.Wait()
		close(done)
		workers.Wait()
	}
}

// deep calls f far down the stack, where what the goroutine does next overwrites nothing.
func deep(n int, f func()) byte {
	var room [512]byte
	if n == 0 {
		f()
		return 0
	}
	room[n] = deep(n-1, f)
	return room[n] + room[0]
}

// midnight is a child that makes numbers under load, lets two days end, and searches its memory before and after.
func midnight(file string) error {
	clock := newClock()
	cfg := Config{Storage: Memory}
	if file != "" {
		at, err := openFileAt(file)
		if err != nil {
			return err
		}
		cfg = Config{Storage: Runtime, File: at}
	}
	k, err := Open(cfg, clock, nil)
	if err != nil {
		return err
	}
	kathmandu, err := time.LoadLocation("Asia/Kathmandu") // over at 18:15
	if err != nil {
		return err
	}
	zones := []*time.Location{time.UTC, kathmandu}
	n := newNeedles(len(zones))
	for _, loc := range zones {
		if _, _, err := k.Number(1, loc, noon, home, agent); err != nil {
			return err
		}
		erasing(func() { n.add((*k.byZone.Load())[loc.String()].slot.bytes()) })
	}
	if err := n.sound(); err != nil {
		return err
	}
	stop := load(k, clock, zones...)
	time.Sleep(50 * time.Millisecond)
	if _, err := n.searchProcess(); err != nil || n.found() < 4 { // two halves each, as they are in the page
		return fmt.Errorf("the keys in use are not found: %d forms, %w", n.found(), err)
	}
	clock.advance(8 * time.Hour)
	k.Tend(context.Background()) // one goes while it is in use
	time.Sleep(20 * time.Millisecond)
	stop()
	clock.advance(4 * time.Hour)
	k.Tend(context.Background()) // the other when all is quiet
	if s := k.Stats(); s.Destroyed != 2 {
		return fmt.Errorf("the days are not over: %+v", s)
	}
	return n.gone(k.page, file)
}

// importThrown is the same for an import: its secret and the keys derived from it are destroyed.
func importThrown(file string) error {
	clock := newClock()
	at, err := openFileAt(file)
	if err != nil {
		return err
	}
	th, err := OpenThrowaway(at, clock, nil)
	if err != nil {
		return err
	}
	for i := range 100 { // more dates than the page has room for
		if _, _, err := th.Number(1, time.UTC, noon.AddDate(0, 0, -i), home, agent); err != nil {
			return err
		}
	}
	if _, _, err := th.Number(1, time.UTC, noon, home, agent); err != nil {
		return err
	}
	n := newNeedles(2)
	erasing(func() {
		n.add(th.page.slots[0].bytes())
		n.add(th.keys[zoneDay{"UTC", DayOf(noon, time.UTC)}].slot.bytes())
	})
	if err := n.sound(); err != nil {
		return err
	}
	stop := load(th, clock, time.UTC)
	time.Sleep(50 * time.Millisecond)
	if _, err := n.searchProcess(); err != nil || n.found() < 4 {
		return fmt.Errorf("the keys in use are not found: %d forms, %w", n.found(), err)
	}
	stop()
	if err := th.Destroy(); err != nil {
		return err
	}
	if _, err := os.Stat(file); file != "" && !os.IsNotExist(err) {
		return fmt.Errorf("the file is still there: %w", err)
	}
	return n.gone(&page{}, file)
}

func harden(string) error {
	if err := Harden(); err != nil {
		return err
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil || limit != (unix.Rlimit{}) {
		return fmt.Errorf("core limit %v, %w", limit, err)
	}
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
		return fmt.Errorf("dumpable %d, %w", dumpable, err)
	}
	return nil
}

// The kernel keeps the page out of swap, core dumps and children.
func TestPage_guarded(t *testing.T) {
	f := func(k *Keys) {
		t.Helper()
		if !k.Stats().Locked {
			t.Errorf("not locked: %v", k.page.guard)
		}
		smaps, err := os.ReadFile("/proc/self/smaps")
		if err != nil {
			t.Fatal(err)
		}
		at, inside := uintptr(unsafe.Pointer(&k.page.memory[0])), false
		for line := range strings.Lines(string(smaps)) {
			var from, to uintptr
			if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
				inside = from <= at && at < to
			}
			if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
				for _, flag := range []string{"lo", "dd", "dc"} { // locked, not dumped, not copied by fork
					if !slices.Contains(strings.Fields(flags), flag) {
						t.Errorf("no %s in %s", flag, flags)
					}
				}
				return
			}
		}
		t.Error("the page is not mapped")
	}
	f(memory(t, newClock()))
	f(open(t, keyFile(t), newClock(), nil))
}
