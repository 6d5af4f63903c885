package web

import (
	"net/url"

	"github.com/daysalt/daysalt/internal/site"
)

// choose fills in the state, the button, and where they lead.
func (o *optOutView) choose(v *chooser, one *site.Site) {
	o.Site, o.Domain = one.Domain, one.Domain
	if one.BrandName != "" {
		o.Site = one.BrandName
	}
	o.Return = v.root(one)
	if back, ok := backTo(one, v.back); ok {
		o.Back, o.Return = back, back
	}
	query := url.Values{"site": {one.Domain}}
	if o.Back != "" {
		query.Set("back", o.Back)
	}
	o.Window = "?" + query.Encode()
	o.Choice = "out"
	if v.optedOut {
		o.Choice = "in"
	}
	lost := v.framed && v.choice == "out" && !v.optedOut
	for _, state := range [...]struct {
		is   bool
		name fact
	}{{lost, "state_lost"}, {v.optedOut, "state_out"}, {v.gpc, "state_gpc"}, {v.dnt && one.DNT, "state_dnt"}} {
		if state.is {
			o.Why = append(o.Why, state.name+"_why")
			if o.State == "" {
				o.State = state.name
			}
		}
	}
	if o.State == "" {
		o.State, o.Why = "state_counted", []fact{"state_counted_why"}
	}
}

// tell fills in what the button does and what is measured.
func (o *optOutView) tell(v *chooser, one *site.Site, f *facts) {
	click := []fact{"click_" + o.Choice}
	if o.Choice == "in" && v.gpc {
		click = append(click, "still_gpc")
	}
	if o.Choice == "in" && v.dnt && one.DNT {
		click = append(click, "still_dnt")
	}
	click = append(click, "cookie")
	if v.https { // else no browser sends it from pages of other sites
		click = append(click, "cookie_every")
	}
	click = append(click, "cookie_days")
	if v.framed && o.Back == "" {
		click = append(click, "flag_frame")
	} else {
		click = append(click, "flag_"+o.Choice)
	}
	reach, dnt := "cookie_plain", "dnt_no"
	switch {
	case one.OwnHost(v.host):
		reach = "cookie_first"
	case v.https:
		reach = "cookie_third"
	}
	if one.DNT {
		dnt = "dnt_yes"
	}
	o.Sections = []section{
		{Heading: "click", Items: append(click, reach)},
		{Heading: "signals", Items: []fact{"gpc", dnt, "nobody"}},
		{Heading: "measured", Lead: "here", Parts: []section{
			{Heading: "recognised", Items: f.recognised},
			{Heading: "stored", Lead: "stored_most", Items: f.stored},
			{Heading: "kept", Lead: f.kept[0]},
		}},
	}
}
