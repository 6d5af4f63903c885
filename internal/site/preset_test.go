package site

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/daysalt/daysalt/internal/fault"
)

// Every setting under every preset, for a site that asks for nothing, for one that asks for more than any preset does, and for one in between.
func TestHeld(t *testing.T) {
	lax := Own{RetentionDays: 3650, AddressMask: 1, HashAddress: HashFull, GeoFrom: GeoCut, City: true, MinVisitors: 0}
	middle := Own{RetentionDays: 60, AddressMask: 3, HashAddress: HashFull, GeoFrom: GeoMasked, City: true, MinVisitors: 5}
	strict := Own{RetentionDays: 7, AddressMask: 4, HashAddress: HashMasked, GeoFrom: GeoOff, City: false, MinVisitors: 1000}
	f := func(p Preset, own Own, want Site) {
		t.Helper()
		// What no preset knows stays.
		in := Site{
			ID: 7, Domain: "a.example", Preset: p, Own: own, AllowProps: []string{"plan"}, DNT: true, BrandName: "A", BrandColor: "#aabbcc",
			RedactRules: []Rule{{Field: "path", Match: "a", As: "{a}"}},
		}
		want.ID, want.Domain, want.Preset, want.Own, want.AllowProps = in.ID, in.Domain, p, own, in.AllowProps
		want.DNT, want.BrandName, want.BrandColor, want.RedactRules = true, in.BrandName, in.BrandColor, in.RedactRules
		if diff := cmp.Diff(want, held(in), cmpopts.IgnoreUnexported(Site{})); diff != "" {
			t.Errorf("%s, %+v: %s", p, own, diff)
		}
		// Whatever held before does not matter: it is no setting.
		in.RetentionDays, in.AddressMask, in.HashAddress, in.GeoFrom, in.Visitors, in.TimeStep, in.ReferrerHost = 1, 4, HashMasked, GeoOff, !want.Visitors, time.Hour, !want.ReferrerHost
		in.Versions, in.Screen, in.City, in.Props, in.Campaigns, in.MinVisitors = !want.Versions, !want.Screen, !want.City, PropsNone, CampaignsNone-want.Campaigns, 999
		if diff := cmp.Diff(want, held(in), cmpopts.IgnoreUnexported(Site{})); diff != "" {
			t.Errorf("%s, %+v, for a site that held others: %s", p, own, diff)
		}
	}

	f(Default, lax, Site{
		RetentionDays: 3650, AddressMask: 1, HashAddress: HashFull, GeoFrom: GeoCut, Visitors: true, TimeStep: time.Second, ReferrerHost: false,
		Versions: true, Screen: true, City: true, Props: PropsRedacted, Campaigns: CampaignsRedacted, MinVisitors: 0,
	})
	f(Default, middle, Site{
		RetentionDays: 60, AddressMask: 3, HashAddress: HashFull, GeoFrom: GeoMasked, Visitors: true, TimeStep: time.Second, ReferrerHost: false,
		Versions: true, Screen: true, City: true, Props: PropsRedacted, Campaigns: CampaignsRedacted, MinVisitors: 5,
	})
	f(Default, strict, Site{
		RetentionDays: 7, AddressMask: 4, HashAddress: HashMasked, GeoFrom: GeoOff, Visitors: true, TimeStep: time.Second, ReferrerHost: false,
		Versions: true, Screen: true, City: false, Props: PropsRedacted, Campaigns: CampaignsRedacted, MinVisitors: 1000,
	})

	f(Masked, lax, Site{
		RetentionDays: 3650, AddressMask: 2, HashAddress: HashMasked, GeoFrom: GeoMasked, Visitors: true, TimeStep: time.Second, ReferrerHost: false,
		Versions: true, Screen: true, City: true, Props: PropsRedacted, Campaigns: CampaignsRedacted, MinVisitors: 0,
	})
	f(Masked, middle, Site{
		RetentionDays: 60, AddressMask: 3, HashAddress: HashMasked, GeoFrom: GeoMasked, Visitors: true, TimeStep: time.Second, ReferrerHost: false,
		Versions: true, Screen: true, City: true, Props: PropsRedacted, Campaigns: CampaignsRedacted, MinVisitors: 5,
	})
	f(Masked, strict, Site{
		RetentionDays: 7, AddressMask: 4, HashAddress: HashMasked, GeoFrom: GeoOff, Visitors: true, TimeStep: time.Second, ReferrerHost: false,
		Versions: true, Screen: true, City: false, Props: PropsRedacted, Campaigns: CampaignsRedacted, MinVisitors: 1000,
	})

	f(CNIL, lax, Site{
		RetentionDays: 759, AddressMask: 2, HashAddress: HashMasked, GeoFrom: GeoMasked, Visitors: true, TimeStep: time.Minute, ReferrerHost: true,
		Versions: true, Screen: false, City: false, Props: PropsListed, Campaigns: CampaignsMasked, MinVisitors: 10,
	})
	f(CNIL, middle, Site{
		RetentionDays: 60, AddressMask: 3, HashAddress: HashMasked, GeoFrom: GeoMasked, Visitors: true, TimeStep: time.Minute, ReferrerHost: true,
		Versions: true, Screen: false, City: false, Props: PropsListed, Campaigns: CampaignsMasked, MinVisitors: 10,
	})
	f(CNIL, strict, Site{
		RetentionDays: 7, AddressMask: 4, HashAddress: HashMasked, GeoFrom: GeoOff, Visitors: true, TimeStep: time.Minute, ReferrerHost: true,
		Versions: true, Screen: false, City: false, Props: PropsListed, Campaigns: CampaignsMasked, MinVisitors: 1000,
	})

	f(Strict, lax, Site{
		RetentionDays: 31, AddressMask: 4, HashAddress: HashMasked, GeoFrom: GeoOff, Visitors: false, TimeStep: time.Hour, ReferrerHost: true,
		Versions: false, Screen: false, City: false, Props: PropsNone, Campaigns: CampaignsNone, MinVisitors: 10,
	})
	f(Strict, middle, Site{
		RetentionDays: 31, AddressMask: 4, HashAddress: HashMasked, GeoFrom: GeoOff, Visitors: false, TimeStep: time.Hour, ReferrerHost: true,
		Versions: false, Screen: false, City: false, Props: PropsNone, Campaigns: CampaignsNone, MinVisitors: 10,
	})
	f(Strict, strict, Site{
		RetentionDays: 7, AddressMask: 4, HashAddress: HashMasked, GeoFrom: GeoOff, Visitors: false, TimeStep: time.Hour, ReferrerHost: true,
		Versions: false, Screen: false, City: false, Props: PropsNone, Campaigns: CampaignsNone, MinVisitors: 1000,
	})
}

func TestParsePreset(t *testing.T) {
	for name, want := range map[string]Preset{"default": Default, "masked": Masked, "cnil": CNIL, "strict": Strict} {
		if got, err := ParsePreset(name); err != nil || got != want || got.String() != name {
			t.Errorf("%s is %s, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "Default", "CNIL", "lax", "strict "} {
		if _, err := ParsePreset(name); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}
