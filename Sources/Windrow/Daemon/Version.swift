/// The version of this Windrow.
public enum Version {
    public static let current = "0.1.0"
}
