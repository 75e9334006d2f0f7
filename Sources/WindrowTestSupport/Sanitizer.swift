import Foundation

/// What a sanitizer changes for tests: `deploy/test --sanitize=…` tells of it.
public enum Sanitizer {
    /// Sanitized programs take many times the memory, so that figures of it say nothing.
    public static let isOn = ProcessInfo.processInfo.environment["WINDROW_SANITIZE"] != nil

    /// How many times as long as usual is waited before a test fails.
    static let patience = isOn ? 10 : 1
}
