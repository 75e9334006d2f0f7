import ArgumentParser
import Foundation
import LibPQ
import Windrow

/// Says what has failed, and ends the command with the exit code that tells a script.
func describingErrors<R>(of subject: String? = nil, _ body: () throws -> R) throws -> R {
    let head = subject.map { $0 + ": " } ?? ""
    do {
        return try body()
    } catch let error as JournalError {
        printError("\(head)\(error)")
        throw error.kind == .unusable || error.kind == .tooNew ? ExitCode.configuration : ExitCode.unavailable
    } catch let error as PostgresError {
        printError("\(head)\(error)")
        throw error.endsConnection ? ExitCode.unavailable : ExitCode.configuration
    } catch let error as SchemaError {
        printError("\(head)\(error)")
        throw ExitCode.configuration
    } catch let error as ConversionError {
        printError("\(head)\(error)")
        throw error.kind == .busy ? ExitCode(EX_USAGE) : ExitCode.configuration
    } catch let error as TransferError {
        printError("\(error)")
        throw error.exitCode
    }
}

extension TransferError {
    var exitCode: ExitCode {
        switch kind {
        case .usage: ExitCode(EX_USAGE)
        case .badData: ExitCode(EX_DATAERR)
        case .noInput: ExitCode(EX_NOINPUT)
        case .file: ExitCode(EX_IOERR)
        case .unavailable: .unavailable
        case .database: .configuration
        }
    }
}
