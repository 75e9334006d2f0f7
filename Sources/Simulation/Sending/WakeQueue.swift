/// Who is to be woken when: a binary heap.
struct WakeQueue {
    private var heap: [(moment: Int64, number: Int)] = []
    /// The earliest that is in the heap of each; what comes later of it has been overtaken.
    private var earliest: [Int64]

    init(count: Int) { earliest = Array(repeating: .max, count: count) }

    /// Has it woken then at the latest.
    mutating func wake(_ number: Int, at moment: Int64) {
        guard moment < earliest[number] else { return }
        earliest[number] = moment
        heap.append((moment, number))
        var place = heap.count - 1
        while place > 0, heap[place].moment < heap[(place - 1) / 2].moment {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    /// When somebody is to be woken next.
    var next: Int64 { heap.first?.moment ?? .max }

    /// One whose time has come, which is not woken again unless it asks to be.
    mutating func pop(_ now: Int64) -> Int? {
        while let top = heap.first, top.moment <= now {
            removeTop()
            if earliest[top.number] == top.moment {
                earliest[top.number] = .max
                return top.number
            }
        }
        return nil
    }

    private mutating func removeTop() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < heap.count && heap[child].moment < heap[least].moment {
                least = child
            }
            if least == place { return }
            heap.swapAt(place, least)
            place = least
        }
    }
}
