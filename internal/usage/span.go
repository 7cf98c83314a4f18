package usage

import (
	"time"

	"paddock/internal/kit/clock"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

// Periodicity is how far apart samples are.
type Periodicity string

const (
	Hourly  Periodicity = "hour"  // hours on the clocks of the time zone asked for
	Daily   Periodicity = "day"   // its days
	Monthly Periodicity = "month" // cycles: see Cycle
)

// What one question may cover.
const (
	mostHours  = 31 * 24 * time.Hour
	mostDays   = 366 * 24 * time.Hour
	mostMonths = 10 * 366 * 24 * time.Hour
	slack      = time.Hour // of clocks that are put back inside the range
)

// spanInput is how routes take a stretch of time.
type spanInput struct {
	Date        string `query:"date" description:"one day, in hours; the present one when nothing is given"`
	StartDate   string `query:"start_date" description:"first hour, day or month of a range"`
	EndDate     string `query:"end_date" description:"last hour, day or month of a range; now when not given"`
	Periodicity string `query:"periodicity" enum:"hour,day,month" description:"how far apart samples are; hour when not given"`
	Timezone    string `query:"timezone" description:"IANA name or offset such as +05:45 in which hours, days and dates are meant"`
}

// span is a stretch of time to look at; both ends are in it.
type span struct {
	From, To    int64 // UTC milliseconds
	Periodicity Periodicity
	Zone        *time.Location
}

// span reads the parameters. Without timezone, home is meant. It returns Invalid naming the parameter.
func (in spanInput) span(now time.Time, home *time.Location) (span, error) {
	sp := span{Periodicity: Hourly, Zone: home}
	var err error
	if in.Timezone != "" {
		if sp.Zone, err = parseZone(in.Timezone); err != nil {
			return sp, err
		}
	}
	switch p := Periodicity(in.Periodicity); p {
	case "":
	case Hourly, Daily, Monthly:
		sp.Periodicity = p
	default:
		return sp, fault.Field("periodicity", "must be hour, day or month")
	}
	if in.StartDate == "" && in.EndDate == "" {
		if sp.Periodicity != Hourly { // the present day or cycle
			if in.Date != "" {
				return sp, fault.Field("periodicity", "days and months need start_date and end_date; a date is shown in hours")
			}
			sp.From = clock.Millis(now)
			sp.To = sp.From
			return sp, nil
		}
		day := now
		if in.Date != "" {
			if day, err = web.ParseTime(in.Date, now, sp.Zone); err != nil {
				return sp, fault.Field("date", "%v", err)
			}
		}
		from, to := dayOf(clock.Millis(day), sp.Zone)
		sp.From, sp.To = from, to-1
		return sp, nil
	}
	if in.Date != "" {
		return sp, fault.Field("date", "give either date, or start_date and end_date")
	}
	if in.StartDate == "" {
		return sp, fault.Field("start_date", "must be given with end_date")
	}
	from, err := web.ParseTime(in.StartDate, now, sp.Zone)
	if err != nil {
		return sp, fault.Field("start_date", "%v", err)
	}
	to := now
	if in.EndDate != "" {
		if to, err = web.ParseTimeEnd(in.EndDate, now, sp.Zone); err != nil {
			return sp, fault.Field("end_date", "%v", err)
		}
		if to.Before(from) {
			return sp, fault.Field("end_date", "must not be before start_date")
		}
	}
	most, words := mostHours, "31 days in hours"
	switch sp.Periodicity {
	case Daily:
		most, words = mostDays, "366 days in days"
	case Monthly:
		most, words = mostMonths, "10 years in months"
	}
	if to.Sub(from) > most+slack {
		field := "end_date"
		if in.EndDate == "" {
			field = "start_date"
		}
		return sp, fault.Field(field, "the range is too long: at most %s", words)
	}
	sp.From, sp.To = clock.Millis(from), clock.Millis(to)
	// The end is where the last period stops: nothing of the one that begins there is meant.
	if sp.To > sp.From && sp.To%quarter == 0 {
		sp.To--
	}
	return sp, nil
}
