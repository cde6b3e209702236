package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// Of all the workers one keeps the queue: it alone watches every record, so that a change of one costs one delivery and not as
// many as there are workers. It tells the others after each look. Who hears of no keeper for longer becomes one; of two the one
// with the lower name stays. This is a courtesy and no lock: several may keep at once, and where the server does not let the
// workers talk on keeperSubject all of them do.

const (
	// anyKeeper asks whether there is a keeper; every other word on keeperSubject is the name of one.
	anyKeeper = "?"
	// keeperAnswer is how long the keeper has to answer that.
	keeperAnswer = 500 * time.Millisecond
	// keeperWords is how many words may wait to be read; more are dropped.
	keeperWords = 64
)

// errOtherKeeper says that another worker keeps the queue.
var errOtherKeeper = errors.New("another worker keeps the queue")

// keeping is one worker's part in finding the keeper.
type keeping struct {
	nc       *nats.Conn
	sub      *nats.Subscription
	words    chan *nats.Msg
	name     string
	interval time.Duration // at which a keeper is heard
}

func newKeeping(nc *nats.Conn, interval time.Duration) (*keeping, error) {
	k := &keeping{nc: nc, words: make(chan *nats.Msg, keeperWords), name: nuid.Next(), interval: interval}
	var err error
	if k.sub, err = nc.ChanSubscribe(keeperSubject, k.words); err != nil {
		return nil, fmt.Errorf("subscribe to the keeper's words: %w", err)
	}
	return k, nil
}

func (k *keeping) close() { _ = k.sub.Unsubscribe() }

// say tells everybody; a word that gets lost is missed by the next look.
func (k *keeping) say(word string) { _ = k.nc.Publish(keeperSubject, []byte(word)) }

// announce says that this worker keeps the queue.
func (k *keeping) announce() { k.say(k.name) }

// wait returns nil once nobody else keeps the queue, and ctx's error when that ends.
func (k *keeping) wait(ctx context.Context) error {
	for {
		k.say(anyKeeper)
		if !k.heard(ctx, min(keeperAnswer, k.interval)) {
			return ctx.Err()
		}
		for k.heard(ctx, 2*k.interval+rand.N(k.interval)) {
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// heard waits for a word of another keeper, and reports whether one came in time.
func (k *keeping) heard(ctx context.Context, limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
			return false
		case m := <-k.words:
			if word := string(m.Data); word != anyKeeper && word != k.name {
				return true
			}
		}
	}
}

// answer is what a keeper does with a word: errOtherKeeper where it is to stop.
func (k *keeping) answer(m *nats.Msg) error {
	switch word := string(m.Data); {
	case word == k.name:
	case word != anyKeeper && word < k.name:
		return errOtherKeeper
	default:
		k.announce()
	}
	return nil
}
