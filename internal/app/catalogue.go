package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"paddock/internal/kit/web"
	"paddock/internal/plan"
)

type catalogueCmd struct {
	Check catalogueCheckCmd `cmd:"" help:"Check a file; prints every row at fault."`
	Apply catalogueApplyCmd `cmd:"" help:"Put a file into force as the next version, on all nodes within a second. Bills of the past keep their prices."`
	List  catalogueListCmd  `cmd:"" help:"List the versions, the one in force first."`
	Show  catalogueShowCmd  `cmd:"" help:"Print a version as it was written."`
}

type catalogueCheckCmd struct {
	File string `arg:"" help:"The file (YAML)." placeholder:"FILE"`
}

func (c *catalogueCheckCmd) Run(s streams) error {
	_, cat, err := readCatalogue(s, c.File)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: no fault; plans %s, prices in %s\n", c.File, strings.Join(cat.Names(), ", "), cat.Currency())
	return nil
}

// readCatalogue reads and checks a file and prints what is wrong with it, a row each.
func readCatalogue(s streams, file string) ([]byte, *plan.Catalogue, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	cat, err := plan.Parse(text)
	var rows *plan.ErrCatalogue
	if errors.As(err, &rows) {
		for _, row := range rows.Rows {
			fmt.Fprintln(s.out, row)
		}
		fmt.Fprintf(s.out, "%s: %d faults\n", file, len(rows.Rows))
		return nil, nil, errSaid
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return text, cat, nil
}

type catalogueApplyCmd struct {
	Store `embed:""`
	File  string `arg:"" help:"The file (YAML)." placeholder:"FILE"`
}

func (c *catalogueApplyCmd) Run(ctx context.Context, s streams) error {
	text, _, err := readCatalogue(s, c.File)
	if err != nil {
		return err
	}
	return with(ctx, c.Store, s, func(a *App) error {
		before := a.plans.Version()
		v, err := a.versions.Apply(ctx, text, plan.FromApply, a.accounts.PlanUsers)
		if err != nil {
			return err
		}
		if v.Number == before {
			fmt.Fprintf(s.out, "version %d is this catalogue already\n", v.Number)
			return nil
		}
		fmt.Fprintf(s.out, "version %d is in force\n", v.Number)
		fitting, err := a.versions.Fitting(ctx)
		if fitting {
			fmt.Fprintln(s.out, "pools differ: a running server fits the allocations of accounts to them")
		}
		return err
	})
}

type catalogueListCmd struct {
	Store `embed:""`
}

func (c *catalogueListCmd) Run(ctx context.Context, s streams) error {
	return with(ctx, c.Store, s, func(a *App) error {
		versions, err := a.versions.List(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%-7s  %-24s  %-8s  %s\n", "VERSION", "IN FORCE FROM", "SOURCE", "PLANS")
		for _, v := range versions {
			plans := "(cannot be read by this release)"
			if cat, err := plan.Parse([]byte(v.Text)); err == nil {
				plans = strings.Join(cat.Names(), ", ")
			}
			fmt.Fprintf(s.out, "%-7d  %-24s  %-8s  %s\n", v.Number, web.Millis(v.At), v.Source, plans)
		}
		return nil
	})
}

type catalogueShowCmd struct {
	Store   `embed:""`
	Version string `arg:"" optional:"" help:"Its number, or builtin for the one in the binary; the one in force when left out."`
}

func (c *catalogueShowCmd) Run(ctx context.Context, s streams) error {
	if c.Version == "builtin" {
		_, err := s.out.Write(plan.BuiltinText())
		return err
	}
	return with(ctx, c.Store, s, func(a *App) error {
		n := a.plans.Version()
		if c.Version != "" {
			var err error
			if n, err = strconv.ParseInt(c.Version, 10, 64); err != nil {
				return fmt.Errorf("%q is no version: give its number, or builtin", c.Version)
			}
		}
		v, found, err := a.versions.Find(ctx, n)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("there is no version %d; `paddock catalogue list` shows them", n)
		}
		_, err = fmt.Fprint(s.out, v.Text)
		return err
	})
}
