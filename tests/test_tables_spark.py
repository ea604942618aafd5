"""Tables on Spark: real workers of a local cluster with two cores. Needs Java."""

import os
import sys

import pyarrow as pa
import pytest

from quoth.errors import ConfigError
from quoth.tables import TableSettings, answer_batch
from support.tables import CHOICE, SETTINGS, environment, table

pytestmark = [pytest.mark.torch, pytest.mark.long]


@pytest.fixture(scope="module")
def spark():
    sql = pytest.importorskip("pyspark.sql")
    os.environ.update(PYSPARK_PYTHON=sys.executable, PYTHONPATH=environment()["PYTHONPATH"])
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.driver.memory": "1g"}
    builder = sql.SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.mark.filterwarnings("ignore")
def test_spark_workers_answer_a_frame(spark):
    from quoth.tables.spark import answer

    given = table(600, bad=50)
    frame = spark.createDataFrame(given.to_pylist(), "n long, question string, context string").repartition(4)
    found = {row["n"]: row.asDict() for row in answer(frame, SETTINGS).collect()}
    assert sorted(found) == list(range(600))
    for row in answer_batch(given, SETTINGS).to_pylist():
        for name in ("answer", "start", "end", "error_code", "windows"):
            assert found[row["n"]][name] == row[name]
    top = answer(frame, TableSettings(top_k=2, columns=("n",), reader=CHOICE))
    assert top.columns[0] == "n"
    assert len(top.where("error_code is null").first()["answers"]) == 2
    with pytest.raises(ConfigError, match="must contain text"):
        answer(spark.createDataFrame([(1, "a")], "question long, context string"), SETTINGS)
    assert isinstance(given, pa.Table)
