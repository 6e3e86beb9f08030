package io.github.exporter.deblur.jvm;

import io.github.exporter.deblur.core.Backend;
import io.github.exporter.deblur.core.Bundle;
import io.github.exporter.deblur.core.BundleException;
import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.FolderFiles;
import io.github.exporter.deblur.core.ModelEntry;
import io.github.exporter.deblur.core.ModelFile;
import io.github.exporter.deblur.core.ModelSize;
import io.github.exporter.deblur.core.Streams;
import io.github.exporter.deblur.core.TrustedKey;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.List;

/**
 * Every golden vector of every {@code .tflite} of a bundle, run by LiteRT in a child process and judged the way the app
 * judges a phone: {@code GoldenMain PYTHON CHILD BUNDLE RUNTIME [KEYS.pem]}. One line a model; exit code 1 when one is
 * wrong, or none is here: of a packed bundle some may not be. With keys the bundle has to be signed by one of them.
 */
public final class GoldenMain {
    private GoldenMain() {}

    public static void main(String[] words) throws IOException, EngineException {
        try {
            System.exit(allRight(words) ? 0 : 1);
        } catch (BundleException error) {
            System.err.println(error.getMessage());
            System.exit(1);
        }
    }

    private static boolean allRight(String[] words) throws IOException, EngineException {
        ProcessEngines engines = new ProcessEngines(words[0], words[1]);
        FolderFiles files = new FolderFiles(new File(words[2]));
        Bundle bundle = words.length < 5 ? Bundle.open(files) : Bundle.openSigned(files, keys(words[4]));
        if (bundle.signer() != null) {
            System.out.println("signed by the " + bundle.signer());
        }
        boolean right = true;
        int ran = 0;
        for (ModelEntry model : bundle.manifest.models) {
            if (model.format.equals("tflite")) {
                ModelFile file;
                try {
                    file = bundle.checked(model);
                } catch (FileNotFoundException error) {
                    System.out.println(model.file + " is not here");
                    continue;
                }
                Engine engine = engines.open(file, Backend.CPU, 2);
                ran++;
                try {
                    for (ModelSize size : model.sizes) {
                        String complaint = bundle.golden().complaint(model, size, engine, words[3]);
                        int vectors = bundle.golden().of(model, size, words[3]).size();
                        right &= complaint == null;
                        String verdict = complaint == null ? vectors + " golden vectors are right" : complaint;
                        String at = size.name.isEmpty() ? "" : " at " + size.name;
                        System.out.println(model.file + at + " on " + engine.name() + ": " + verdict);
                    }
                } finally {
                    engine.close();
                }
            }
        }
        return right && ran > 0;
    }

    private static List<TrustedKey> keys(String file) throws IOException {
        return TrustedKey.all(new String(Streams.readAll(new FileInputStream(file)), "UTF-8"));
    }
}
