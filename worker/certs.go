package main

import (
	"strings"
	"time"

	"veil/worker/authority"
	"veil/worker/failure"
	"veil/worker/text"
)

// certsCmd is `veil certs`.
type certsCmd struct {
	Out    string   `short:"o" required:"" placeholder:"DIR" help:"Folder of the authority and its parties; what is there is kept."`
	Server []string `sep:"none" placeholder:"NAME=HOST,..." help:"A server, with the names and addresses that it is reached by; can be given again."`
	Client []string `placeholder:"NAME,..." help:"Clients; each is known to the queue by its name."`
	Days   int      `default:"90" placeholder:"N" help:"How long a certificate lives; it is renewed when a third of that is left."`
	Force  bool     `help:"Renew all that are named, whatever is left."`
}

// Validate refuses what makes no sense; kong calls it.
func (c *certsCmd) Validate() error {
	if c.Days < 1 || c.Days > 825 {
		return failure.Usagef("give 1 to 825 days", "--days makes no sense")
	}
	if len(c.Server)+len(c.Client) == 0 {
		return failure.Usagef("name somebody with --server or --client", "nobody is named who needs a certificate")
	}
	return nil
}

// parties are those who were named.
func (c *certsCmd) parties() (all []authority.Party, err error) {
	for _, s := range c.Server {
		name, hosts, ok := strings.Cut(s, "=")
		p := authority.Party{Name: name, Hosts: strings.FieldsFunc(hosts, func(r rune) bool { return r == ',' })}
		if !ok || len(p.Hosts) == 0 {
			return nil, failure.Usagef("give NAME=HOST,HOST", "--server %s names no host", text.Printable(s))
		}
		all = append(all, p)
	}
	for _, name := range c.Client {
		all = append(all, authority.Party{Name: name})
	}
	return all, nil
}

// Run makes what is missing and renews what is due.
func (c *certsCmd) Run(a *app) error {
	parties, err := c.parties()
	if err != nil {
		return err
	}
	ca, err := authority.Open(c.Out, time.Now)
	if err != nil {
		return err
	}
	var issued []authority.Issued
	for _, p := range parties {
		i, err := ca.Issue(p, time.Duration(c.Days)*24*time.Hour, c.Force)
		if err != nil {
			return err
		}
		issued = append(issued, i)
	}
	if a.JSON {
		return a.printJSON(map[string]any{"certificates": issued, "authority_until": ca.Until(), "authority_made": ca.Made})
	}
	for _, i := range issued {
		a.printf("%-8s until %s %s\n", i.Outcome, i.Until.UTC().Format(time.DateOnly), text.Printable(i.Cert))
	}
	if ca.Made {
		a.printf("the authority's key is in the folder ca: whoever has it can vouch for anybody; keep it apart\n")
	}
	return nil
}
