/// The name that somebody who wrote `typed` most likely meant: the only one that goes on from it, or one a few letters away.
func closestName(to typed: String, among names: [String]) -> String? {
    let plain = typed.lowercased().replacing("-", with: "_")
    let begun = names.filter { plain.count >= 3 && $0.hasPrefix(plain) }
    if begun.count == 1 { return begun[0] }
    let nearest = names.map { (name: $0, distance: editDistance(plain, $0)) }.min { $0.distance < $1.distance }
    guard let (name, distance) = nearest, distance <= max(1, name.count / 3), distance < min(name.count, plain.count)
    else {
        return nil
    }
    return name
}

/// Insertions, deletions and replacements, and swaps of neighbours, that turn one text into the other
/// (optimal string alignment distance).
private func editDistance(_ a: String, _ b: String) -> Int {
    let a = Array(a.unicodeScalars.prefix(64)), b = Array(b.unicodeScalars.prefix(64))
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in a.indices {
        var current = [i + 1]
        for j in b.indices {
            var best = min(last[j + 1] + 1, current[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, beforeLast[j - 1] + 1) }
            current.append(best)
        }
        beforeLast = last
        last = current
    }
    return last[b.count]
}
