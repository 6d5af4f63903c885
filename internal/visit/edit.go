package visit

import "github.com/daysalt/daysalt/internal/event"

// Visit is what Edit shows of a visit that is remembered.
type Visit struct {
	SiteID    uint32
	Day       event.Day
	Visitor   uint64
	EntryPage string
}

// Edit goes through what is remembered, in no order, for an erasure: a visit for which edit returns false is forgotten, and one whose EntryPage edit changes
// has that page from now on. edit must not keep v. It returns how many visits were forgotten and how many were changed.
//
// What is joined after it depends on it too, so a state has to be written before anything is joined that may be joined again.
func (t *Tracker) Edit(edit func(v *Visit) (keep bool)) (forgotten, changed int) {
	for _, generation := range []map[key]*visit{t.young, t.old} {
		for k, remembered := range generation {
			var row event.Row
			unpack(remembered.facts, &row)
			v := Visit{uint32(k.siteDay >> 16), event.Day(k.siteDay), k.visitor, row.EntryPage}
			switch {
			case !edit(&v):
				delete(generation, k)
				forgotten++
			case v.EntryPage != row.EntryPage:
				row.Hostname, row.Path = row.EntryHost, v.EntryPage // pack makes them the entry.
				remembered.facts = pack(&row)
				changed++
			}
		}
	}
	return forgotten, changed
}
