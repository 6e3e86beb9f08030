package io.github.exporter.deblur.core;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One run of the bench protocol (exporter/android/protocol.py): times a model, checks it against golden vectors, and
 * writes one JSON file, whole or not at all. Whatever goes wrong is in the file's {@code error}.
 */
public final class BenchRun {
    private final BenchRequest request;
    private final EngineFactory factory;
    private final BenchLoop loop;
    private final MemorySource memory;
    private final Clock clock;
    private final Map<String, Object> result = new LinkedHashMap<String, Object>();

    public BenchRun(
            BenchRequest request, EngineFactory factory, ThermalSource thermal, MemorySource memory, Clock clock) {
        this.request = request;
        this.factory = factory;
        this.loop = new BenchLoop(clock, thermal);
        this.memory = memory;
        this.clock = clock;
    }

    /** Does it all and writes the result. @throws IOException when even that cannot be written */
    public void run() throws IOException {
        result.put("schema_version", 1);
        result.put("run", request.run);
        result.put("engine", factory.name());
        result.put("model_sha256", null);
        result.put("backend", request.backend.word);
        result.put("accelerated", null);
        result.put("threads", request.threads);
        result.put("init_ms", null);
        result.put("first_run_ms", null);
        result.put("samples_ms", new ArrayList<Object>());
        result.put("thermal", loop.thermalLog);
        result.put("memory_kb", null);
        result.put("golden", null);
        result.put("error", null);
        try {
            measure();
        } catch (EngineException error) {
            result.put("error", sentence(error));
        } catch (IOException error) {
            result.put("error", sentence(error));
        } catch (RuntimeException error) { // an engine's own: the host must hear of it all the same
            result.put("error", sentence(error));
        } catch (LinkageError error) { // a native library that is not in the APK
            result.put("error", sentence(error));
        } catch (OutOfMemoryError error) {
            result.put("error", sentence(error));
        }
        result.put("end", true);
        write(request.result, Json.write(result));
    }

    private void measure() throws IOException, EngineException {
        long start = clock.nanos();
        byte[] bytes = Streams.readAll(new FileInputStream(request.model));
        result.put("model_sha256", Streams.sha256(new java.io.ByteArrayInputStream(bytes)));
        TfliteFile file = TfliteFile.read(request.model.getName(), bytes);
        List<ByteBuffer> inputs = vectors("input", file.input);
        List<ByteBuffer> expected = vectors("output", file.output);
        if (inputs.isEmpty() || inputs.size() != expected.size()) {
            throw new BundleException(
                    request.golden + " holds " + inputs.size() + " inputs and " + expected.size() + " outputs");
        }
        Engine engine = open(new DiskModel(request.model));
        try {
            result.put("init_ms", (clock.nanos() - start) / 1e6);
            result.put("engine", engine.name());
            result.put("accelerated", engine.isAccelerated());
            ByteBuffer output = Buffers.direct(file.output);
            loop.run(engine, inputs.get(0), output, request.warmup, request.runs, request.seconds);
            result.put("first_run_ms", loop.firstRunMs);
            result.put("samples_ms", boxed(loop.samplesMs));
            result.put("memory_kb", memory.kilobytes());
            result.put("golden", golden(engine, inputs, expected, file.output));
        } finally {
            engine.close();
        }
    }

    private Engine open(ModelFile model) throws EngineException {
        try {
            return factory.open(model, request.backend, request.threads);
        } catch (EngineException refused) {
            return factory.openWithFallback(model, request.backend, request.threads);
        }
    }

    private List<ByteBuffer> vectors(String kind, TensorSpec spec) throws IOException {
        List<ByteBuffer> found = new ArrayList<ByteBuffer>();
        while (true) {
            File file = new File(request.golden, found.size() + "." + kind + ".npy");
            if (!file.isFile()) {
                return found;
            }
            found.add(Npy.read(file.getName(), new FileInputStream(file)).tensor(spec, file.getName()));
        }
    }

    private static Map<String, Object> golden(
            Engine engine, List<ByteBuffer> inputs, List<ByteBuffer> expected, TensorSpec spec) throws EngineException {
        Distance worst = Distance.none();
        ByteBuffer output = Buffers.direct(spec);
        float[] found = new float[spec.values()];
        float[] wanted = new float[spec.values()];
        for (int i = 0; i < inputs.size(); i++) {
            engine.run(inputs.get(i), output);
            PixelPack.load(output, spec, found);
            PixelPack.load(expected.get(i), spec, wanted);
            worst = worst.worse(Distance.between(found, wanted));
        }
        Map<String, Object> golden = new LinkedHashMap<String, Object>();
        golden.put("vectors", inputs.size());
        golden.put("max_abs", worst.maxAbs);
        golden.put("psnr_db", worst.psnrDb);
        return golden;
    }

    private static List<Double> boxed(double[] values) {
        List<Double> list = new ArrayList<Double>(values.length);
        for (double value : values) {
            list.add(value);
        }
        return list;
    }

    private static String sentence(Throwable error) {
        String message = error.getMessage();
        return error instanceof EngineException || error instanceof BundleException
                ? message
                : error.getClass().getSimpleName() + (message == null ? "" : ": " + message);
    }

    private static void write(File file, String text) throws IOException {
        File part = new File(file.getPath() + ".part");
        FileOutputStream out = new FileOutputStream(part);
        try {
            out.write(text.getBytes("UTF-8"));
            out.getFD().sync();
        } finally {
            out.close();
        }
        if (!part.renameTo(file)) {
            throw new IOException(part + " cannot be renamed to " + file.getName());
        }
    }
}
