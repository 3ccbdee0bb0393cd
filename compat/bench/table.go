package main

import (
	"fmt"
	"slices"
)

// median of a figure over the rounds.
func median[T any](rounds []T, figure func(T) float64) float64 {
	v := make([]float64, len(rounds))
	for i, r := range rounds {
		v[i] = figure(r)
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func ratio(a, b float64) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", a/b)
}

func rate(r *report) float64 { return r.OpsPerSec }
func cpu(r *report) float64  { return r.ServerCPUPerOp }
func rss(r *report) float64  { return float64(r.ServerRSS >> 20) }

// tail is the 99th percentile of the slower kind of request.
func tail(r *report) float64 {
	var worst float64
	for _, l := range []*latency{r.Reads, r.Writes} {
		if l != nil {
			worst = max(worst, l.P99)
		}
	}
	return worst
}

func printHead() {
	fmt.Printf("%-16s %10s %10s %6s  %9s %9s %6s  %9s %9s  %9s %9s %7s\n", "row", "java/s", "zk/s", "ratio",
		"java CPU", "zk CPU us", "ratio", "java p99", "zk p99 us", "java MiB", "zk MiB", "errors")
}

func printRow(name string, java, ours []*report) {
	var bad uint64
	for _, r := range append(slices.Clone(java), ours...) {
		bad += r.Errors + r.Lost
	}
	figures := func(f func(*report) float64) (a, b float64) { return median(java, f), median(ours, f) }
	ja, za := figures(rate)
	jc, zc := figures(cpu)
	jt, zt := figures(tail)
	jm, zm := figures(rss)
	fmt.Printf("%-16s %10.0f %10.0f %6s  %9.1f %9.1f %6s  %9.0f %9.0f  %9.0f %9.0f %7d\n", name, ja, za, ratio(za, ja),
		jc, zc, ratio(zc, jc), jt, zt, jm, zm, bad)
}

// printEvent writes the figures of an event, one a line.
func printEvent(name string, java, ours [][]figure) {
	fmt.Printf("\n%-16s %-34s %5s %12s %12s %6s\n", name, "median of the rounds", "", "java", "zk", "ratio")
	for i, f := range java[0] {
		of := func(round []figure) float64 { return round[i].Value }
		j, z := median(java, of), median(ours, of)
		fmt.Printf("%-16s %-34s %5s %12.2f %12.2f %6s\n", "", f.Name, f.Unit, j, z, ratio(z, j))
	}
}
