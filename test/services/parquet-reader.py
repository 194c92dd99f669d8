# Prints what pyarrow reads in a Parquet file, as JSON that loses nothing: run by parquet-readers.ts.
import datetime, decimal, json, math, sys
import pyarrow as pa, pyarrow.parquet as pq


def plain(value, kind):
    if value is None or pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return value
    if pa.types.is_int64(kind) or pa.types.is_uint64(kind) or isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else {'nan': 'NaN', 'inf': 'Infinity', '-inf': '-Infinity'}[str(value)]
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [plain(one, kind.value_type) for one in value]
    if pa.types.is_struct(kind):
        return {field.name: plain(value[field.name], field.type) for field in kind}
    return value


file = pq.ParquetFile(sys.argv[1])
meta = file.metadata
schema = file.schema_arrow
rows = [
    {field.name: plain(row[field.name], field.type) for field in schema} for row in file.read().to_pylist()
]
print(json.dumps({
    'schema': {field.name: str(field.type) + ('' if field.nullable else ' not null') for field in schema},
    'rowGroups': [meta.row_group(i).num_rows for i in range(meta.num_row_groups)],
    'codecs': sorted({meta.row_group(i).column(c).compression
                      for i in range(meta.num_row_groups) for c in range(meta.num_columns)}),
    'rows': rows,
}, allow_nan=False))
