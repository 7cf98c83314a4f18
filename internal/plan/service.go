package plan

import (
	"math"
	"strconv"
)

// Service is a metered service; its value is the key on the wire.
type Service string

const (
	Input            Service = "input"             // one per variable received
	Output           Service = "output"            // one per row read through the API
	Analysis         Service = "analysis"          // seconds of script run; minutes on the wire
	DataRecords      Service = "data_records"      // points stored now
	SMS              Service = "sms"               // one per recipient
	Email            Service = "email"             // one per recipient
	RunUsers         Service = "run_users"         // end users registered now
	PushNotification Service = "push_notification" // one per message
	FileStorage      Service = "file_storage"      // bytes held now; megabytes of 1,000,000 on the wire
	DashboardOutput  Service = "dashboard_output"  // one per row shown; given to each profile, never split or sold
)

// N is the number of services, the length of Amounts.
const N = 10

// Metered is every service in the order of Amounts. Services is the part of it that an account splits among
// its profiles, in the order of the wire.
var (
	Metered  = [N]Service{Input, Output, Analysis, DataRecords, SMS, Email, RunUsers, PushNotification, FileStorage, DashboardOutput}
	Services = Metered[:N-1]
)

// Unlimited is the amount that never runs out: the largest whole number that every client reads exactly.
// It is a limit like any other, so no check needs a special case to pass it.
const Unlimited int64 = 1<<53 - 1

// Amounts is a number of base units per service: units, seconds for analysis, bytes for file_storage.
type Amounts [N]int64

// Index is the place of s in Amounts, or -1 for a word that is no service.
func Index(s Service) int {
	for i, m := range Metered {
		if m == s {
			return i
		}
	}
	return -1
}

// Of is the amount of s. It panics on a word that is no service, which is a mistake in our code.
func (a Amounts) Of(s Service) int64 { return a[Index(s)] }

// Flow reports whether s starts at zero with every cycle. What is no flow is a stock: it counts what is there.
func Flow(s Service) bool {
	switch s {
	case DataRecords, RunUsers, FileStorage:
		return false
	}
	return true
}

// Unit is how many base units make one on the wire: 60 for analysis, 1,000,000 for file_storage, else 1.
func Unit(s Service) int64 {
	switch s {
	case Analysis:
		return 60
	case FileStorage:
		return 1_000_000
	}
	return 1
}

// Name is s in a sentence.
func (s Service) Name() string {
	switch s {
	case Input:
		return "Data Input"
	case Output:
		return "Data Output"
	case Analysis:
		return "Analysis"
	case DataRecords:
		return "Data Records"
	case SMS:
		return "SMS"
	case Email:
		return "Email"
	case RunUsers:
		return "Run Users"
	case PushNotification:
		return "Push Notification"
	case FileStorage:
		return "File Storage"
	case DashboardOutput:
		return "Dashboard Output"
	}
	return string(s)
}

// Wire turns base units of s into the number on the wire. Fractions keep six decimals, so that what was
// written can be read back without loss; Unlimited stays the same number for every service.
func Wire(s Service, n int64) float64 {
	u := Unit(s)
	if u == 1 || n >= Unlimited {
		return float64(min(n, Unlimited))
	}
	return math.Round(float64(n)/float64(u)*1e6) / 1e6
}

// Show is the amount as words for a message: "1500" or "2.5".
func Show(s Service, n int64) string {
	if n >= Unlimited {
		return "unlimited"
	}
	return strconv.FormatFloat(Wire(s, n), 'f', -1, 64)
}

// FromWire turns a number of the wire into base units of s. ok is false for what cannot be an amount:
// negative, not finite, or a fraction of a service that is counted in whole units. Numbers from Unlimited up
// are Unlimited.
func FromWire(s Service, v float64) (n int64, ok bool) {
	if math.IsNaN(v) || v < 0 {
		return 0, false
	}
	u := Unit(s)
	if v >= float64(Unlimited)/float64(u) {
		return Unlimited, true
	}
	if u == 1 {
		return int64(v), v == math.Trunc(v)
	}
	return int64(math.Round(v * float64(u))), true
}

// WireMap is the amounts of the services an account splits, by their keys on the wire.
func (a Amounts) WireMap() map[string]float64 {
	m := make(map[string]float64, N)
	for i, s := range Services {
		m[string(s)] = Wire(s, a[i])
	}
	return m
}
