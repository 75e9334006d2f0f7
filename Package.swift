// swift-tools-version: 6.1
import PackageDescription

// `deploy/test` and CI set this: a warning in Windrow's own targets is an error there.
let strict: [SwiftSetting] =
    Context.environment["WINDROW_STRICT"] == nil ? [] : [.unsafeFlags(["-warnings-as-errors"])]

let package = Package(
    name: "windrow",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "windrow", targets: ["WindrowCLI"]),
        .executable(name: "windrow-bench", targets: ["WindrowBench"]),
        .library(name: "Windrow", targets: ["Windrow"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CMosquitto", pkgConfig: "libmosquitto", providers: [.apt(["libmosquitto-dev"])]),
        .target(name: "CSimdJSON", linkerSettings: [.linkedLibrary("simdjson")]),
        .target(name: "LibPQ", dependencies: ["CLibPQ"], swiftSettings: strict),
        .target(name: "Mosquitto", dependencies: ["CMosquitto"], swiftSettings: strict),
        .target(
            name: "Windrow",
            dependencies: [
                "CSimdJSON", "LibPQ", "Mosquitto", "Yams",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "WindrowCLI",
            dependencies: [
                "Windrow",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .target(name: "WindrowTestSupport", dependencies: ["LibPQ"], swiftSettings: strict),
        .executableTarget(
            name: "WindrowBench",
            dependencies: [
                "LibPQ", "WindrowTestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .testTarget(name: "LibPQTests", dependencies: ["LibPQ", "WindrowTestSupport"], swiftSettings: strict),
        .testTarget(name: "MosquittoTests", dependencies: ["Mosquitto", "WindrowTestSupport"], swiftSettings: strict),
        .testTarget(
            name: "WindrowTests",
            dependencies: [
                "Mosquitto", "Windrow", "WindrowTestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "Windrow", "WindrowCLI", "WindrowTestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
    ],
    cxxLanguageStandard: .cxx17
)
