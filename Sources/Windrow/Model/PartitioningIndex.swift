extension RandomAccessCollection {
    /// The first index whose element belongs to the second part, in a collection in which the elements of a first part come before
    /// all the others.
    func partitioningIndex(where belongsToSecondPart: (Element) -> Bool) -> Index {
        var (low, rest) = (startIndex, count)
        while rest > 0 {
            let half = rest / 2
            let middle = index(low, offsetBy: half)
            if belongsToSecondPart(self[middle]) {
                rest = half
            } else {
                low = index(after: middle)
                rest -= half + 1
            }
        }
        return low
    }
}
