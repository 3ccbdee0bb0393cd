package main

import "encoding/json"

// report is what this program reads of the JSON that zk bench prints.
type report struct {
	OpsPerSec      float64  `json:"ops_per_s"`
	Errors         uint64   `json:"errors"`
	Lost           uint64   `json:"connections_lost"`
	Reads          *latency `json:"reads"`
	Writes         *latency `json:"writes"`
	ServerCPUPerOp float64  `json:"server_cpu_us_per_op"`
	ServerRSS      int64    `json:"server_rss_bytes"`

	whole json.RawMessage // as printed
}

type latency struct {
	P99 float64 `json:"p99_us"`
}
