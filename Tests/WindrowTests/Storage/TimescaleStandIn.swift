@testable import Windrow

extension WriterFixture {
    /// Has this database look as if it had the extension timescaledb, in the schema `public`: what it is asked for is noted in
    /// `public.asked`, and the table stays a plain one.
    func pretendTimescaleDB() throws {
        try asSuperuser {
            try $0.script(
                """
                INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
                VALUES (987654, 'timescaledb', 10, 'public'::regnamespace, false, '2.16.0');
                CREATE TABLE public.asked (point regclass, call text);
                CREATE FUNCTION public.by_range(name, interval) RETURNS text LANGUAGE sql AS 'SELECT $1 || '' '' || $2';
                CREATE FUNCTION public.create_hypertable(regclass, text, create_default_indexes boolean) RETURNS void LANGUAGE sql
                    AS 'INSERT INTO public.asked VALUES ($1, $2)';
                CREATE FUNCTION public.add_retention_policy(regclass, drop_after interval) RETURNS void LANGUAGE sql
                    AS 'INSERT INTO public.asked VALUES ($1, ''retention '' || $2)';
                CREATE SCHEMA timescaledb_information;
                CREATE VIEW timescaledb_information.hypertables AS
                    SELECT DISTINCT n.nspname AS hypertable_schema, c.relname AS hypertable_name
                    FROM public.asked JOIN pg_class c ON c.oid = point JOIN pg_namespace n ON n.oid = c.relnamespace;
                GRANT ALL ON public.asked TO windrow; GRANT USAGE ON SCHEMA timescaledb_information TO windrow;
                GRANT SELECT ON timescaledb_information.hypertables TO windrow
                """)
        }
    }

    /// What TimescaleDB was asked for about what is `point` now.
    func asked() throws -> [String] {
        let rows = try connection.execute(
            "SELECT call FROM public.asked WHERE point = to_regclass($1) ORDER BY call",
            [.text(schema.qualified("point"))])
        return try (0..<rows.count).map { try rows.text($0, 0) }
    }
}
