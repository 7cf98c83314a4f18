package app

import "testing"

// archived says what becomes of each tenant table in a profile's archive: where it is, or why it is not.
var archived = map[string]string{
	"device":           "devices.jsonl",
	"device_tag":       "devices.jsonl",
	"device_param":     "devices.jsonl",
	"dashboard":        "dashboards.jsonl",
	"dashboard_tag":    "dashboards.jsonl",
	"dashboard_widget": "widgets.jsonl",
	"silence_rule":     "rules.jsonl",
	"limit_policy":     "allocation.jsonl",
	"point":            "points/",

	"series":        "made anew of the points: their ids say which number each had",
	"series_number": "made anew of the points",
	"chunk":         "made anew of the points",
	"piece":         "points that wait to be inserted: the count of an archive is that of the points in it",
	"series_purge":  "points that were deleted",
	"idempotency":   "a day's memory of requests to this server",

	"counter":         "what was used of the owner's cycle here; the stocks are counted anew",
	"counter_history": "what was used of past cycles here, which the owner here pays for",
	"ledger":          "as counter_history",
	"ledger_fold":     "as counter_history",
	"device_ledger":   "as counter_history",
	"lease":           "what a node has taken in advance",
	"held":            "counted anew",
	"resting":         "what a deleted profile stores, which cannot be exported",
	"rate":            "the requests of the present minute",

	"audit_entry":     "who did what on this server, by the ids of its accounts: the log is exported by itself",
	"device_refusal":  "what this server refused lately",
	"refusal":         "what this server refused lately",
	"delivery":        "what was told to people of this server",
	"alert":           "what people of this server were told",
	"alert_level":     "which levels they were told of",
	"ask":             "who asked the owner here for more",
	"silence":         "which devices are silent now: found anew",
	"profile_backup":  "archives themselves",
	"backup_link":     "leads to archives that this server keeps",
	"backup_schedule": "where this server keeps archives, and its owner's passphrase: set anew",

	"silence_resume": "since when devices are waited for: the import",
}

// TestEveryTableIsArchived walks all tenant tables: a new one must be in archives, or be left out for a reason.
func TestEveryTableIsArchived(t *testing.T) {
	tables := tenantTables(t)
	for name := range tables {
		if archived[name] == "" {
			t.Errorf("table %s: put it into the archive of a profile (internal/backup), or say here why not", name)
		}
	}
	for name := range archived {
		if tables[name] == "" {
			t.Errorf("there is no table %s", name)
		}
	}
}
