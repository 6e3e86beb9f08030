package io.github.exporter.deblur.jvm;

import io.github.exporter.deblur.core.Backend;
import io.github.exporter.deblur.core.Bundle;
import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.FolderFiles;
import io.github.exporter.deblur.core.ModelEntry;
import io.github.exporter.deblur.core.RgbImage;
import io.github.exporter.deblur.core.WholePicture;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;

/**
 * Photographs through a bundle's {@code .tflite} by LiteRT in a child process, as an app's Java does it:
 * {@code RestoreMain PYTHON CHILD BUNDLE PRECISION [IN HEIGHT WIDTH OUT]...}, pictures as raw 8-bit RGB.
 */
public final class RestoreMain {
    private RestoreMain() {}

    public static void main(String[] words) throws IOException, EngineException {
        Bundle bundle = Bundle.open(new FolderFiles(new File(words[2])));
        ModelEntry model = bundle.manifest.tflite(words[3]);
        Engine engine = new ProcessEngines(words[0], words[1]).open(bundle.checked(model), Backend.CPU, 2);
        try {
            for (int i = 4; i < words.length; i += 4) {
                Path in = Paths.get(words[i]);
                int height = Integer.parseInt(words[i + 1]);
                int width = Integer.parseInt(words[i + 2]);
                RgbImage picture = new RgbImage(height, width, Files.readAllBytes(in));
                RgbImage restored = WholePicture.restore(bundle.manifest, model, engine, picture, null);
                Files.write(Paths.get(words[i + 3]), restored.rgb);
            }
        } finally {
            engine.close();
        }
    }
}
