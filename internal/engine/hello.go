package engine

import "encoding/binary"

// helloBlock answers clickhouse-go's first query. The driver decodes this one answer with its own newest revision of the Native format
// (a header before the block, a byte per column) and all later ones with the revision that it reads here. Revision 0 is plain Native, the
// only kind the library writes.
func helloBlock(version, zone string) []byte {
	const isOverflows, bucketNumber, end = 1, 2, 0
	b := []byte{isOverflows, 0, bucketNumber}
	b = binary.LittleEndian.AppendUint32(b, 0xFFFFFFFF) // bucket -1: none
	b = append(b, end, 4, 1)                            // four columns, one row
	column := func(name, kind string) {
		b = appendText(appendText(b, name), kind)
		b = append(b, 0) // no custom serialisation
	}
	column("displayName()", "String")
	b = appendText(b, "daysalt")
	column("version()", "String")
	b = appendText(b, version)
	column("revision()", "UInt32")
	b = binary.LittleEndian.AppendUint32(b, 0)
	column("timezone()", "String")
	return appendText(b, zone)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
