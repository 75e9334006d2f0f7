// swift-tools-version: 6.1
import PackageDescription

// `deploy/test` and CI set this: a warning in Windrow's own targets is an error there.
let strict: [SwiftSetting] =
    Context.environment["WINDROW_STRICT"] == nil ? [] : [.unsafeFlags(["-warnings-as-errors"])]

// `deploy/fuzz` sets this. What decodes bytes from outside is then built with the address sanitizer, and so that libFuzzer sees which
// branches an input takes; optimised, for it runs millions of times. The packages that it depends on stay as they are for the tests.
let fuzzing = Context.environment["WINDROW_FUZZ"] != nil
let watched: [SwiftSetting] = fuzzing ? [.unsafeFlags(["-O", "-sanitize=address,fuzzer"])] : []
let watchedCXX: [CXXSetting] = fuzzing ? [.unsafeFlags(["-O2", "-fsanitize=address,fuzzer-no-link"])] : []

// `deploy/bench --steps` sets this: the steps of the hot path are measured alone, and so must be seen.
let measuring = Context.environment["WINDROW_STEPS"] != nil
let visible: [SwiftSetting] = measuring ? [.unsafeFlags(["-enable-testing"])] : []

// The dynamic linker reads, and so keeps in memory, every relocation and every exported symbol: they take 5 MiB unless they are packed,
// or left out where nobody asks for them.
let small = ["-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs", "-Xlinker", "--no-export-dynamic"]

let package = Package(
    name: "windrow",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "windrow", targets: ["WindrowCLI"]),
        .executable(name: "windrow-bench", targets: ["WindrowBench"]),
        .executable(name: "windrow-chaos", targets: ["WindrowChaos"]),
        .library(name: "Windrow", targets: ["Windrow"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CEpoll"),
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(name: "CSimdJSON", cxxSettings: watchedCXX, linkerSettings: [.linkedLibrary("simdjson")]),
        .target(name: "LibPQ", dependencies: ["CLibPQ"], swiftSettings: strict),
        .target(name: "Zlib", dependencies: ["CZlib"], swiftSettings: strict + watched),
        .target(name: "MQTT", dependencies: ["COpenSSL"], swiftSettings: strict + watched),
        .target(
            name: "Windrow",
            dependencies: [
                "CMalloc", "CSimdJSON", "LibPQ", "MQTT", "Yams", "Zlib",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            resources: [
                .embedInCode("Bridge/openapi.json"), .embedInCode("Status/page.html"), .embedInCode("Status/page.css"),
                .embedInCode("Status/page.js"),
            ],
            swiftSettings: strict + watched + visible),
        .target(
            name: "Simulation",
            dependencies: [
                "CEpoll", "LibPQ", "MQTT",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "WindrowCLI",
            dependencies: [
                "MQTT", "Simulation", "Windrow",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict,
            linkerSettings: [.unsafeFlags(small, .when(platforms: [.linux], configuration: .release))]),
        .target(name: "WindrowTestSupport", dependencies: ["LibPQ"], swiftSettings: strict),
        .executableTarget(
            name: "WindrowBench",
            dependencies: [
                "LibPQ", "Windrow", "WindrowTestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "WindrowChaos",
            dependencies: [
                "LibPQ", "WindrowTestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .testTarget(name: "LibPQTests", dependencies: ["LibPQ", "WindrowTestSupport"], swiftSettings: strict),
        .testTarget(name: "ZlibTests", dependencies: ["WindrowTestSupport", "Zlib"], swiftSettings: strict),
        .testTarget(name: "WindrowChaosTests", dependencies: ["WindrowChaos"], swiftSettings: strict),
        .testTarget(name: "MQTTTests", dependencies: ["MQTT", "WindrowTestSupport"], swiftSettings: strict),
        .testTarget(name: "SimulationTests", dependencies: ["Simulation"], swiftSettings: strict),
        .testTarget(
            name: "WindrowTests",
            dependencies: [
                "FuzzTargets", "MQTT", "Windrow", "WindrowTestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "Windrow", "WindrowCLI", "WindrowTestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            exclude: ["Examples"], swiftSettings: strict),
    ],
    cxxLanguageStandard: .cxx17
)

// What the fuzzers do with an input: `WindrowTests` feeds it the corpora. A test target, because it sees Windrow's internals, which a
// build for release does not show; but for the fuzzers a plain one, because no program can depend on tests.
let fuzzTargets: [Target.Dependency] = [
    "MQTT", "Windrow",
    .product(name: "HTTPTypes", package: "swift-http-types"),
    .product(name: "Hummingbird", package: "hummingbird"),
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOEmbedded", package: "swift-nio"),
]
if fuzzing {
    package.products.append(.executable(name: "windrow-fuzz", targets: ["WindrowFuzz"]))
    package.targets += [
        .target(
            name: "FuzzTargets", dependencies: fuzzTargets, path: "Tests/FuzzTargets",
            swiftSettings: strict + watched),
        // lld, which comes with Swift: gold does not link libFuzzer into a program that has a main function of its own.
        .executableTarget(
            name: "WindrowFuzz", dependencies: ["FuzzTargets"], swiftSettings: strict,
            linkerSettings: [.unsafeFlags(["-use-ld=lld", "-sanitize=address,fuzzer"])]),
    ]
} else {
    package.targets.append(.testTarget(name: "FuzzTargets", dependencies: fuzzTargets, swiftSettings: strict))
}

if measuring {
    // Without its interposers, which are packages of their own and count calls of malloc.
    package.dependencies.append(
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.0", traits: []))
    package.targets.append(
        .executableTarget(
            name: "HotPath",
            dependencies: ["LibPQ", "Windrow", .product(name: "Benchmark", package: "benchmark")],
            path: "Benchmarks/HotPath", plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]))
}
