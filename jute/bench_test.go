package jute

import "testing"

func benchProposal(op OpCode) Proposal {
	x := Txn{Type: op, Path: "/bench/node-0000000001", Data: make([]byte, 1024), ACL: openACL, Version: 1}
	return Proposal{
		Header: TxnHeader{ClientID: 1, Cxid: 2, Zxid: 3, Time: 4, Type: op}, Txn: x, HasDigest: true,
		Digest: Digest{Version: DigestVersion},
	}
}

func BenchmarkProposalAppend(b *testing.B) {
	for _, op := range []OpCode{OpCreate, OpSetData} {
		b.Run(op.String(), func(b *testing.B) {
			p := benchProposal(op)
			buf := p.Append(nil)
			b.ReportAllocs()
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				buf = p.Append(buf[:0])
			}
		})
	}
}

func BenchmarkProposalDecode(b *testing.B) {
	for _, op := range []OpCode{OpCreate, OpSetData} {
		b.Run(op.String(), func(b *testing.B) {
			p := benchProposal(op)
			buf := p.Append(nil)
			b.ReportAllocs()
			b.SetBytes(int64(len(buf)))
			var got Proposal
			for b.Loop() {
				d := NewDecoder(buf, 0)
				got.Decode(&d)
			}
			if got.Txn.Path != p.Txn.Path {
				b.Fatal(got)
			}
		})
	}
}

func BenchmarkRequestDecode(b *testing.B) {
	create := CreateRequest{Path: "/bench/node-", Data: make([]byte, 1024), ACL: openACL, Flags: FlagSequential}
	set := SetDataRequest{Path: "/bench/node-0000000001", Data: make([]byte, 1024), Version: -1}
	get := PathWatchRequest{Path: "/bench/node-0000000001"}
	b.Run("create", func(b *testing.B) {
		buf := create.Append(nil, OpCreate)
		b.ReportAllocs()
		for b.Loop() {
			d := NewDecoder(buf, 0)
			create.Decode(&d, OpCreate)
		}
	})
	b.Run("setData", func(b *testing.B) {
		buf := set.Append(nil)
		b.ReportAllocs()
		for b.Loop() {
			d := NewDecoder(buf, 0)
			set.Decode(&d)
		}
	})
	b.Run("getData", func(b *testing.B) {
		buf := get.Append(nil)
		b.ReportAllocs()
		for b.Loop() {
			d := NewDecoder(buf, 0)
			get.Decode(&d)
		}
	})
}

func BenchmarkStatAppend(b *testing.B) {
	s := Stat{Czxid: 1, Mzxid: 2}
	buf := s.Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		buf = s.Append(buf[:0])
	}
}
