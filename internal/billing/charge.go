package billing

import (
	"paddock/internal/id"
)

// Kind says what a charge pays for, and so on which line of the cost it appears.
type Kind string

const (
	PlanFee    Kind = "plan"     // Item is the plan
	ServiceFee Kind = "service"  // Item is the service, Amount the tier in base units; shared by the profiles
	AddonFee   Kind = "addon"    // Item is the add-on, Profile who has it
	Figure     Kind = "figure"   // the part of an owner's own figure that falls to the service Item; shared by measured use
	Discount   Kind = "discount" // Item is a sentence; the cents are negative
)

// Charge is a line of an invoice. It is never changed.
type Charge struct {
	ID        id.Charge
	Account   id.Account
	Kind      Kind
	Item      string
	Profile   id.Profile // of an add-on, else ""
	Amount    int64      // of a service: the tier's base units; else 0
	Cents     int64      // negative for a discount and for what is given back
	Currency  string     // three letters, as the catalogue had it
	Start     int64      // UTC milliseconds, an hour of the account's cycle; the hours it pays for count from here
	End       int64      // UTC milliseconds; the last hour may be shorter, where a cycle ends within one
	GivesBack id.Charge  // the charge of which this gives back the rest, else ""
	Catalogue int64      // the version of the catalogue that had the price
	Invoice   id.Invoice // "" while it is on none
	Key       string     // unique in the account: the same operation, tried again, makes no second charge
	MadeAt    int64
}
