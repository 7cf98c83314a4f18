package web

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts requests by method, route pattern and status. All of its methods do nothing when no
// registerer was given.
type metrics struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

// routeMetrics is one route's part, with the counters of its statuses found once.
type routeMetrics struct {
	m               *metrics
	method, pattern string
	duration        prometheus.Observer
	status          [600]atomic.Pointer[prometheus.Counter]
}

func newMetrics(reg prometheus.Registerer, version string) *metrics {
	if reg == nil {
		return &metrics{}
	}
	m := &metrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total", Help: "Requests answered, by method, route pattern and status.",
		}, []string{"method", "route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_request_duration_seconds", Help: "Time from a request's header to its answer, by method and route pattern.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "http_requests_in_flight", Help: "Requests being answered now.",
		}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "build_info", Help: "Always 1; the label tells the version.",
	}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	reg.MustRegister(m.total, m.duration, m.inFlight, build)
	return m
}

func (m *metrics) route(method, pattern string) *routeMetrics {
	r := &routeMetrics{m: m, method: method, pattern: pattern}
	if m.duration != nil {
		r.duration = m.duration.WithLabelValues(method, pattern)
	}
	return r
}

func (m *metrics) begin() {
	if m.inFlight != nil {
		m.inFlight.Inc()
	}
}

func (r *routeMetrics) end(status int, took time.Duration) {
	if r.duration == nil {
		return
	}
	r.m.inFlight.Dec()
	r.duration.Observe(took.Seconds())
	if status < 0 || status >= len(r.status) {
		return
	}
	c := r.status[status].Load()
	if c == nil {
		n := r.m.total.WithLabelValues(r.method, r.pattern, strconv.Itoa(status))
		c = &n
		r.status[status].Store(c)
	}
	(*c).Inc()
}
