/// Numbers that look random and are the same each time: of a place, not of what was asked before.
enum Chance {
    /// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
    @inline(__always)
    static func mix(_ number: UInt64) -> UInt64 {
        var z = number &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    @inline(__always)
    static func mix(_ seed: UInt64, _ number: Int) -> UInt64 {
        mix(seed &+ UInt64(bitPattern: Int64(number)) &* 0xD134_2543_DE82_EF95)
    }

    /// From 0 up to, not including, 1.
    static func fraction(_ number: UInt64) -> Double { Double(number >> 11) / Double(1 << 53) }

    /// What 16 random bits have to be below for a share of 0 to 1.
    static func threshold(_ share: Double) -> UInt64 { UInt64((share * 65_536).rounded()) }
}
